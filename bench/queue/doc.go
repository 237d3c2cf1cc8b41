// Package queue measures what the queue costs: planning runs of a million pages,
// claiming pages, and visiting thousands of hosts, with real workers in a real
// Postgres, and pages that end at once. `make bench-queue` writes the result to
// bench/results/queue.md. It tests nothing, and no page of the web is fetched.
package queue
