//go:build linux

package proc

import "time"

// every is how often a sampler looks: often enough to see a page come and go,
// seldom enough not to be a load itself.
const every = 250 * time.Millisecond

// Sampler looks at trees of processes in a goroutine of its own until Stop, and
// keeps the most memory that it saw.
type Sampler struct {
	stop  chan struct{}
	ended chan struct{}
	pids  []int
	peak  Usage
	err   error
}

// Sample begins to look at the trees below the pids; it has looked once when it
// returns.
func Sample(pids ...int) *Sampler {
	s := &Sampler{stop: make(chan struct{}), ended: make(chan struct{}), pids: pids}
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
			return
		}
	}
}

// look reads once, unless that has failed before.
func (s *Sampler) look() {
	if s.err != nil {
		return
	}
	var u Usage
	u, s.err = Read(s.pids...)
	s.peak.PSS = max(s.peak.PSS, u.PSS)
	s.peak.CPU = max(s.peak.CPU, u.CPU)
	s.peak.Processes = max(s.peak.Processes, u.Processes)
}

// Stop ends the looking and gives the most that was seen of each figure, which
// need not have been at the same time. It is called once.
func (s *Sampler) Stop() (Usage, error) {
	close(s.stop)
	<-s.ended
	return s.peak, s.err
}
