// Package house owns the rules of the house, as tests: who may import whom and
// why, that every package says what it is, and that the files beside the code
// (compose file, seccomp profile, set-up script) say what they must. It holds no
// code that runs, and nothing imports it.
package house
