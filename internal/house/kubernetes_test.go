package house

import (
	"bytes"
	"errors"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"go.yaml.in/yaml/v4"

	"github.com/tabfarm/tabfarm/web"
)

// object is what the tests ask of the objects in deploy/kubernetes.yaml, of all kinds.
type object struct {
	APIVersion string `yaml:"apiVersion"`
	Kind       string `yaml:"kind"`
	Metadata   struct {
		Name string `yaml:"name"`
	} `yaml:"metadata"`
	Spec struct {
		Replicas *int     `yaml:"replicas"`
		Selector selector `yaml:"selector"`
		Template struct {
			Metadata struct {
				Labels      map[string]string `yaml:"labels"`
				Annotations map[string]string `yaml:"annotations"`
			} `yaml:"metadata"`
			Spec pod `yaml:"spec"`
		} `yaml:"template"`

		MaxUnavailable int `yaml:"maxUnavailable"` // of a budget

		Target struct { // of an autoscaler
			Kind string `yaml:"kind"`
			Name string `yaml:"name"`
		} `yaml:"scaleTargetRef"`
		MinReplicas int `yaml:"minReplicas"`
		Metrics     []struct {
			External struct {
				Metric struct {
					Name string `yaml:"name"`
				} `yaml:"metric"`
			} `yaml:"external"`
		} `yaml:"metrics"`
	} `yaml:"spec"`
}

type selector struct {
	Labels map[string]string `yaml:"matchLabels"`
}

type pod struct {
	Grace   int             `yaml:"terminationGracePeriodSeconds"`
	Restart string          `yaml:"restartPolicy"`
	Context securityContext `yaml:"securityContext"`
	Volumes []struct {
		Name     string `yaml:"name"`
		EmptyDir struct {
			Medium string `yaml:"medium"`
		} `yaml:"emptyDir"`
	} `yaml:"volumes"`
	Containers []container `yaml:"containers"`
}

type securityContext struct {
	NonRoot bool  `yaml:"runAsNonRoot"`
	User    int   `yaml:"runAsUser"`
	Rise    *bool `yaml:"allowPrivilegeEscalation"`
	Seccomp struct {
		Type string `yaml:"type"`
		File string `yaml:"localhostProfile"`
	} `yaml:"seccompProfile"`
	Capabilities struct {
		Drop []string `yaml:"drop"`
	} `yaml:"capabilities"`
}

type container struct {
	Image string   `yaml:"image"`
	Args  []string `yaml:"args"`
	Env   []struct {
		Name  string `yaml:"name"`
		Value string `yaml:"value"`
		From  struct {
			Secret struct {
				Name string `yaml:"name"`
				Key  string `yaml:"key"`
			} `yaml:"secretKeyRef"`
		} `yaml:"valueFrom"`
	} `yaml:"env"`
	Ports []struct {
		Name string `yaml:"name"`
		Port int    `yaml:"containerPort"`
	} `yaml:"ports"`
	Liveness  probe           `yaml:"livenessProbe"`
	Readiness probe           `yaml:"readinessProbe"`
	Context   securityContext `yaml:"securityContext"`
	Resources struct {
		Requests map[string]string `yaml:"requests"`
		Limits   map[string]string `yaml:"limits"`
	} `yaml:"resources"`
	Mounts []struct {
		Name string `yaml:"name"`
		Path string `yaml:"mountPath"`
	} `yaml:"volumeMounts"`
}

type probe struct {
	Get struct {
		Path string `yaml:"path"`
		Port string `yaml:"port"`
	} `yaml:"httpGet"`
	Timeout int `yaml:"timeoutSeconds"`
}

// readKubernetes gives the objects of the manifest by their kind.
func readKubernetes(t *testing.T) map[string]object {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(root, "deploy", "kubernetes.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	objects := map[string]object{}
	for decoder := yaml.NewDecoder(bytes.NewReader(text)); ; {
		var o object
		if err := decoder.Decode(&o); errors.Is(err, io.EOF) {
			return objects
		} else if err != nil {
			t.Fatal(err)
		}
		objects[o.APIVersion+" "+o.Kind] = o
	}
}

func TestKubernetesObjects(t *testing.T) {
	t.Parallel()
	objects := readKubernetes(t)
	want := []string{"apps/v1 Deployment", "autoscaling/v2 HorizontalPodAutoscaler", "batch/v1 Job", "policy/v1 PodDisruptionBudget"}
	if kinds := slices.Sorted(maps.Keys(objects)); !slices.Equal(kinds, want) {
		t.Fatalf("the manifest has %q, want %q", kinds, want)
	}
	workers, budget, scaler := objects[want[0]], objects[want[3]], objects[want[1]]
	labels := workers.Spec.Template.Metadata.Labels
	for name, got := range map[string]map[string]string{"the deployment": workers.Spec.Selector.Labels, "the budget": budget.Spec.Selector.Labels} {
		if len(got) == 0 || !maps.Equal(got, labels) {
			t.Errorf("%s selects %v, and workers are %v", name, got, labels)
		}
	}
	if maps.Equal(objects[want[2]].Spec.Template.Metadata.Labels, labels) {
		t.Error("the job counts as a worker")
	}
	if *workers.Spec.Replicas < 2 || budget.Spec.MaxUnavailable != 1 || scaler.Spec.MinReplicas < 1 {
		t.Errorf("%d workers, %d may be away, at least %d", *workers.Spec.Replicas, budget.Spec.MaxUnavailable, scaler.Spec.MinReplicas)
	}
	if target := scaler.Spec.Target; target.Kind != workers.Kind || target.Name != workers.Metadata.Name {
		t.Errorf("the autoscaler is for %s %s", target.Kind, target.Name)
	}
	// web's tests hold the table to what is served.
	operations, err := os.ReadFile(filepath.Join(root, "docs", "operations.md"))
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range scaler.Spec.Metrics {
		if name := m.External.Metric.Name; !strings.Contains(string(operations), "| `"+name+"` | gauge |") {
			t.Errorf("the autoscaler looks at %q, which is no gauge", name)
		}
	}
}

func TestKubernetesWorkers(t *testing.T) {
	t.Parallel()
	workers := readKubernetes(t)["apps/v1 Deployment"]
	p := workers.Spec.Template.Spec
	if grace := time.Duration(p.Grace) * time.Second; grace < drainTime(t) {
		t.Errorf("a worker may take %v to end, and draining takes %v", grace, drainTime(t))
	}
	if !p.Context.NonRoot || p.Context.User == 0 || p.Context.Seccomp.Type != "Localhost" {
		t.Errorf("workers run with %+v", p.Context)
	}
	if _, err := os.Stat(filepath.Join(root, "deploy", p.Context.Seccomp.File)); err != nil {
		t.Error(err)
	}
	c := p.Containers[0]
	port := strconv.Itoa(web.Port)
	if len(c.Ports) != 1 || c.Ports[0].Port != web.Port || c.Env[1].Name != "TABFARM_SERVE_LISTEN" || c.Env[1].Value != ":"+port {
		t.Errorf("ports %+v, environment %+v, want port %s", c.Ports, c.Env, port)
	}
	notes := workers.Spec.Template.Metadata.Annotations
	if notes["prometheus.io/port"] != port || notes["prometheus.io/path"] != web.PathMetrics {
		t.Errorf("metrics are looked for at %v", notes)
	}
	for path, got := range map[string]probe{web.PathHealth: c.Liveness, web.PathReady: c.Readiness} {
		if got.Get.Path != path || got.Get.Port != c.Ports[0].Name || got.Timeout < 3 {
			t.Errorf("a probe is %+v, want %s at port %s and 3 s or more", got, path, c.Ports[0].Name)
		}
	}
	if c.Resources.Requests["cpu"] == "" || c.Resources.Requests["memory"] == "" || c.Resources.Limits["memory"] == "" {
		t.Errorf("resources are %+v", c.Resources)
	}
	if len(c.Mounts) != 1 || c.Mounts[0].Path != "/dev/shm" || c.Mounts[0].Name != p.Volumes[0].Name || p.Volumes[0].EmptyDir.Medium != "Memory" {
		t.Errorf("mounts %+v, volumes %+v", c.Mounts, p.Volumes)
	}
}

// Whatever runs tabfarm may do as little as it can, and has its database from the secret.
func TestKubernetesContainers(t *testing.T) {
	t.Parallel()
	objects := readKubernetes(t)
	dockerfile, err := os.ReadFile(filepath.Join(root, "Dockerfile"))
	if err != nil {
		t.Fatal(err)
	}
	for _, kind := range []string{"apps/v1 Deployment", "batch/v1 Job"} {
		p := objects[kind].Spec.Template.Spec
		if user := "--uid " + strconv.Itoa(p.Context.User); !p.Context.NonRoot || !strings.Contains(string(dockerfile), user) {
			t.Errorf("%s: runs as %d, whom the image does not have", kind, p.Context.User)
		}
		c := p.Containers[0]
		if c.Context.Rise == nil || *c.Context.Rise || !slices.Equal(c.Context.Capabilities.Drop, []string{"ALL"}) {
			t.Errorf("%s: %+v", kind, c.Context)
		}
		if url := c.Env[0]; url.Name != "TABFARM_DATABASE_URL" || url.Value != "" || url.From.Secret.Name == "" || url.From.Secret.Key == "" {
			t.Errorf("%s: the database is %+v", kind, url)
		}
	}
}
