package main

import "github.com/agnivade/levenshtein"

// nearest is the word of a list that is spelled most alike, "" of an empty list.
func nearest(word string, list []string) string {
	best, least := "", 1<<30
	for _, s := range list {
		if d := levenshtein.ComputeDistance(word, s); d < least {
			best, least = s, d
		}
	}
	return best
}
