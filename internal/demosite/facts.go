package demosite

import (
	"math"
	"strconv"
	"strings"
)

// elementNames holds symbol and name of the chemical elements in the order of
// their atomic numbers, from 1 to 118.
const elementNames = `H Hydrogen,He Helium,
Li Lithium,Be Beryllium,B Boron,C Carbon,N Nitrogen,O Oxygen,F Fluorine,Ne Neon,
Na Sodium,Mg Magnesium,Al Aluminium,Si Silicon,P Phosphorus,S Sulfur,Cl Chlorine,Ar Argon,
K Potassium,Ca Calcium,Sc Scandium,Ti Titanium,V Vanadium,Cr Chromium,Mn Manganese,Fe Iron,Co Cobalt,
Ni Nickel,Cu Copper,Zn Zinc,Ga Gallium,Ge Germanium,As Arsenic,Se Selenium,Br Bromine,Kr Krypton,
Rb Rubidium,Sr Strontium,Y Yttrium,Zr Zirconium,Nb Niobium,Mo Molybdenum,Tc Technetium,Ru Ruthenium,Rh Rhodium,
Pd Palladium,Ag Silver,Cd Cadmium,In Indium,Sn Tin,Sb Antimony,Te Tellurium,I Iodine,Xe Xenon,
Cs Caesium,Ba Barium,La Lanthanum,Ce Cerium,Pr Praseodymium,Nd Neodymium,Pm Promethium,Sm Samarium,Eu Europium,
Gd Gadolinium,Tb Terbium,Dy Dysprosium,Ho Holmium,Er Erbium,Tm Thulium,Yb Ytterbium,Lu Lutetium,
Hf Hafnium,Ta Tantalum,W Tungsten,Re Rhenium,Os Osmium,Ir Iridium,Pt Platinum,Au Gold,Hg Mercury,
Tl Thallium,Pb Lead,Bi Bismuth,Po Polonium,At Astatine,Rn Radon,
Fr Francium,Ra Radium,Ac Actinium,Th Thorium,Pa Protactinium,U Uranium,Np Neptunium,Pu Plutonium,Am Americium,
Cm Curium,Bk Berkelium,Cf Californium,Es Einsteinium,Fm Fermium,Md Mendelevium,No Nobelium,Lr Lawrencium,
Rf Rutherfordium,Db Dubnium,Sg Seaborgium,Bh Bohrium,Hs Hassium,Mt Meitnerium,Ds Darmstadtium,Rg Roentgenium,
Cn Copernicium,Nh Nihonium,Fl Flerovium,Mc Moscovium,Lv Livermorium,Ts Tennessine,Og Oganesson`

// nobleGases are the atomic numbers that end the periods 1 to 7; a 0 before them.
var nobleGases = []int{0, 2, 10, 18, 36, 54, 86, 118}

// Elements gives the 118 chemical elements. Group is null for the lanthanides
// and actinides between groups 2 and 3 (lutetium and lawrencium stand in group 3).
func Elements() Table {
	t := Table{
		Title: "Chemical elements",
		Note:  "Names and symbols by IUPAC.",
		Columns: []Column{
			{Key: "number", Title: "No."},
			{Key: "symbol", Title: "Symbol"},
			{Key: "name", Title: "Name"},
			{Key: "period", Title: "Period"},
			{Key: "group", Title: "Group"},
			{Key: "block", Title: "Block"},
		},
	}
	for i, entry := range strings.Split(elementNames, ",") {
		symbol, name, _ := strings.Cut(strings.TrimSpace(entry), " ")
		period, group, block := place(i + 1)
		t.Rows = append(t.Rows, []any{i + 1, symbol, name, period, group, block})
	}
	t.Total = len(t.Rows)
	return t
}

// place is an element's place in the periodic table; group is nil in the f block.
func place(z int) (period int, group any, block string) {
	for nobleGases[period] < z {
		period++
	}
	fromLeft, toRight := z-nobleGases[period-1], nobleGases[period]-z
	switch {
	case z == 2:
		return period, 18, "s"
	case fromLeft <= 2:
		return period, fromLeft, "s"
	case toRight < 6:
		return period, 18 - toRight, "p"
	case toRight < 16:
		return period, 18 - toRight, "d"
	}
	return period, nil, "f"
}

// Notes gives the 128 notes of the MIDI standard with their frequency in hertz,
// equal temperament, A4 = 440 Hz, rounded to hundredths.
func Notes() Table {
	names := strings.Fields("C C# D D# E F F# G G# A A# B")
	t := Table{
		Title: "Notes and their frequencies",
		Note:  "Computed: equal temperament, A4 = 440 Hz.",
		Total: 128,
		Columns: []Column{
			{Key: "note", Title: "Note"},
			{Key: "name", Title: "Name"},
			{Key: "octave", Title: "Octave"},
			{Key: "frequency", Title: "Hz", Format: Fixed2},
		},
	}
	for n := range 128 {
		hertz := 440 * math.Pow(2, float64(n-69)/12)
		octave := n/12 - 1
		t.Rows = append(t.Rows, []any{n, names[n%12] + strconv.Itoa(octave), octave, math.Round(hertz*100) / 100})
	}
	return t
}

// Terms gives the first 60 terms of the continued fraction of e: a list whose
// rows have no key, most of them equal to others.
func Terms() Table {
	t := Table{
		Title:   "The continued fraction of e",
		Note:    "Computed: 2; 1, 2, 1, 1, 4, 1, 1, 6, …",
		Total:   60,
		Columns: []Column{{Key: "term", Title: "Term"}, {Key: "parity", Title: "Parity"}},
	}
	for n := range 60 {
		term := 1
		if n == 0 {
			term = 2
		} else if n%3 == 2 {
			term = 2 * (n + 1) / 3
		}
		t.Rows = append(t.Rows, []any{term, []string{"even", "odd"}[term%2]})
	}
	return t
}

// Planets gives the eight planets under a header of two rows. Figures are those
// of NASA's planetary fact sheet.
func Planets() Table {
	return Table{
		Title: "Planets of the Sun",
		Note:  "Figures: NASA planetary fact sheet.",
		Total: 8,
		Columns: []Column{
			{Key: "kind", Title: "Kind", Merge: true},
			{Key: "planet", Title: "Planet"},
			{Key: "distance", Title: "Million km", Group: "Orbit", Format: Fixed1},
			{Key: "period", Title: "Days", Group: "Orbit", Format: Fixed1},
			{Key: "diameter", Title: "Diameter (km)", Group: "Body", Format: Thousands},
			{Key: "gravity", Title: "Gravity (m/s²)", Group: "Body", Format: Fixed1},
			{Key: "rings", Title: "Rings", Group: "Body"},
		},
		Rows: [][]any{
			{"Rocky", "Mercury", 57.9, 88.0, 4879, 3.7, false},
			{"Rocky", "Venus", 108.2, 224.7, 12104, 8.9, false},
			{"Rocky", "Earth", 149.6, 365.2, 12756, 9.8, false},
			{"Rocky", "Mars", 228.0, 687.0, 6792, 3.7, false},
			{"Gas giant", "Jupiter", 778.5, 4331.0, 142984, 23.1, true},
			{"Gas giant", "Saturn", 1432.0, 10747.0, 120536, 9.0, true},
			{"Ice giant", "Uranus", 2867.0, 30589.0, 51118, 8.7, true},
			{"Ice giant", "Neptune", 4515.0, 59800.0, 49528, 11.0, true},
		},
	}
}
