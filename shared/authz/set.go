package authz

import "slices"

// Set is a set of permissions, one bit each, by Entry.Bit. It is what tables keep.
type Set uint64

// SetOf returns the set of the permissions; unknown ones are left out.
func SetOf(permissions ...Permission) Set {
	var set Set
	for _, permission := range permissions {
		if entry, ok := Lookup(permission); ok {
			set |= 1 << entry.Bit
		}
	}
	return set
}

// ParseSet returns the set of the names, and the first name that is no permission, "" where all are.
func ParseSet(names []string) (set Set, unknown string) {
	for _, name := range names {
		if _, ok := Lookup(Permission(name)); !ok && unknown == "" {
			unknown = name
		}
		set |= SetOf(Permission(name))
	}
	return set, unknown
}

// HeldBy returns the permissions that subjects of the kind can have.
func HeldBy(kind Kind) Set {
	return setWhere(func(entry Entry) bool { return entry.Holders&kind != 0 })
}

func setWhere(is func(Entry) bool) Set {
	var set Set
	for _, entry := range Catalogue {
		if is(entry) {
			set |= 1 << entry.Bit
		}
	}
	return set
}

// Has tells whether the permission is in the set.
func (s Set) Has(permission Permission) bool { return s&SetOf(permission) != 0 }

// Permissions returns what is in the set, in the catalogue's order. A bit that no permission has is left out.
func (s Set) Permissions() []Permission {
	permissions := []Permission{}
	for _, entry := range Catalogue {
		if s&(1<<entry.Bit) != 0 {
			permissions = append(permissions, entry.Permission)
		}
	}
	return permissions
}

// Names returns Permissions as texts.
func (s Set) Names() []string {
	names := []string{}
	for _, permission := range s.Permissions() {
		names = append(names, string(permission))
	}
	return names
}

// First returns the first of Permissions, "" for the empty set.
func (s Set) First() Permission {
	if all := s.Permissions(); len(all) > 0 {
		return all[0]
	}
	return ""
}

// Contains tells whether the name is one of the set's permissions.
func (s Set) Contains(name string) bool { return slices.Contains(s.Names(), name) }
