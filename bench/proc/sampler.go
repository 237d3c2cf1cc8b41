//go:build linux

package proc

import "time"

const (
	// every is how often a sampler looks at CPU time.
	every = 100 * time.Millisecond

	// rest is how many times as long as a look at the memory took none follows: the
	// kernel walks all pages of a process for it, a tenth of a second for a Chrome
	// with eight tabs, and what is measured stands still meanwhile.
	rest = 4
)

// Moment is the usage of each of the trees at a time.
type Moment struct {
	At    time.Time
	Trees []Usage // as the pids were given; PSS is 0 where memory was not looked at
}

// Sampler looks at trees of processes in a goroutine of its own until Stop.
type Sampler struct {
	stop    chan struct{}
	ended   chan struct{}
	pids    []int
	memory  bool      // is looked at
	due     time.Time // not before
	moments []Moment
	err     error
}

// Sample begins to look at the trees below the pids, each of which is one of its
// own; it has looked once when it returns.
func Sample(pids ...int) *Sampler { return sample(true, pids) }

// SampleCPU is Sample without the memory, for who measures how fast something is.
func SampleCPU(pids ...int) *Sampler { return sample(false, pids) }

func sample(memory bool, pids []int) *Sampler {
	s := &Sampler{stop: make(chan struct{}), ended: make(chan struct{}), pids: pids, memory: memory}
	s.look()
	go s.run()
	return s
}

func (s *Sampler) run() {
	defer close(s.ended)
	ticker := time.NewTicker(every)
	defer ticker.Stop()
	for {
		select {
		case <-ticker.C:
			s.look()
		case <-s.stop:
			s.look()
			return
		}
	}
}

// look reads once, unless that has failed before.
func (s *Sampler) look() {
	if s.err != nil {
		return
	}
	began := time.Now()
	memory := s.memory && !began.Before(s.due)
	m := Moment{At: began}
	if m.Trees, s.err = usages(s.pids, memory); s.err != nil {
		return
	}
	if memory {
		s.due = time.Now().Add(rest * time.Since(began))
	}
	s.moments = append(s.moments, m)
}

// Stop looks a last time, ends the looking, and gives the most that was seen of
// each figure of all trees together, which need not have been at the same time. It
// is called once.
func (s *Sampler) Stop() (Usage, error) {
	close(s.stop)
	<-s.ended
	var peak Usage
	for _, m := range s.moments {
		peak = peak.most(m.all())
	}
	return peak, s.err
}

// Peak is the most that was seen of each figure of some of the trees together, by
// their place among the pids. It is asked after Stop.
func (s *Sampler) Peak(trees ...int) Usage {
	var peak Usage
	for _, m := range s.moments {
		peak = peak.most(m.sum(trees))
	}
	return peak
}

// CPUBetween is the CPU time that some of the trees used from one time to another,
// in proportion between the looks. It is asked after Stop. What was not there yet
// has used none; what is gone uses no more.
func (s *Sampler) CPUBetween(from, to time.Time, trees ...int) time.Duration {
	return s.cpuAt(to, trees) - s.cpuAt(from, trees)
}

func (s *Sampler) cpuAt(at time.Time, trees []int) time.Duration {
	var before Moment
	var used time.Duration
	for _, m := range s.moments {
		// A tree whose processes have ended shows less than it has used.
		cpu := max(used, m.sum(trees).CPU)
		if m.At.After(at) {
			if before.At.IsZero() {
				return cpu
			}
			return used + time.Duration(float64(cpu-used)*float64(at.Sub(before.At))/float64(m.At.Sub(before.At)))
		}
		before, used = m, cpu
	}
	return used
}

// most has the greater of each figure.
func (u Usage) most(v Usage) Usage {
	return Usage{max(u.CPU, v.CPU), max(u.PSS, v.PSS), max(u.Processes, v.Processes)}
}

func (m Moment) sum(trees []int) Usage {
	var some Moment
	for _, i := range trees {
		some.Trees = append(some.Trees, m.Trees[i])
	}
	return some.all()
}

func (m Moment) all() Usage {
	var sum Usage
	for _, u := range m.Trees {
		sum.CPU += u.CPU
		sum.PSS += u.PSS
		sum.Processes += u.Processes
	}
	return sum
}
