package extract

import "time"

// months are the names of months in the languages whose names do not
// contradict each other, so that a date needs no language to be read.
var months = monthNames(
	"jan january januar janvier janv enero ene gennaio gen januari janeiro",
	"feb february februar février févr fév febrero febbraio februari fevereiro fev",
	"mar march märz mrz mär mars marzo maart mrt março",
	"apr april avril avr abril abr aprile",
	"may mai mayo maggio mag mei maio",
	"jun june juni juin junio giugno giu junho",
	"jul july juli juillet juil julio luglio lug julho",
	"aug august août aout agosto ago augustus",
	"sep sept september septembre septiembre settembre set setembro",
	"oct october oktober okt octobre octubre ottobre ott outubro out",
	"nov november novembre noviembre novembro",
	"dec december dezember dez décembre déc diciembre dic dicembre dezembro",
)

// weekdays are the English names of weekdays.
var weekdays = map[string]time.Weekday{
	"sun": time.Sunday, "sunday": time.Sunday, "mon": time.Monday, "monday": time.Monday,
	"tue": time.Tuesday, "tues": time.Tuesday, "tuesday": time.Tuesday,
	"wed": time.Wednesday, "wednesday": time.Wednesday,
	"thu": time.Thursday, "thur": time.Thursday, "thurs": time.Thursday, "thursday": time.Thursday,
	"fri": time.Friday, "friday": time.Friday, "sat": time.Saturday, "saturday": time.Saturday,
}

func monthNames(lists ...string) map[string]int {
	names := map[string]int{}
	for i, list := range lists {
		start := 0
		for j := 0; j <= len(list); j++ {
			if j == len(list) || list[j] == ' ' {
				names[list[start:j]] = i + 1
				start = j + 1
			}
		}
	}
	return names
}
