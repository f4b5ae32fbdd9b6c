package storetest

import (
	"errors"
	"sync"
)

// ErrFuse is what a write gets that a Fuse has failed.
var ErrFuse = errors.New("storetest: the fuse blew")

// Fuse fails one write, counted over all the stores that share it: the way to test a crash at every point between two
// writes.
//
//	for at := 1; ; at++ {
//		fuse := &storetest.Fuse{At: at, Dies: true}
//		log := messagetest.FuseLog(fuse, messagetest.NewLog())
//		… send, then a retry without the fuse …
//		if !fuse.Blown() { break } // every write has had its turn
//	}
type Fuse struct {
	// At is the number of the write that fails, from 1; 0 fails none.
	At int
	// TookEffect lets the write happen before it fails: the answer got lost. Otherwise it does not happen.
	TookEffect bool
	// Dies fails every call after that as well, reads too: the process is gone.
	Dies bool
	// Before, where set, is called before every call: the place where a simulation decides who goes on.
	Before func()

	mutex  sync.Mutex
	writes int
	blown  bool
}

// Write does the write, or fails it.
func (f *Fuse) Write(do func() error) error {
	f.before()
	happens, fails := f.count()
	if !happens {
		return ErrFuse
	}
	err := do()
	if fails {
		return ErrFuse
	}
	return err
}

func (f *Fuse) count() (happens, fails bool) {
	f.mutex.Lock()
	defer f.mutex.Unlock()
	if f.blown && f.Dies {
		return false, true
	}
	f.writes++
	if f.writes != f.At {
		return true, false
	}
	f.blown = true
	return f.TookEffect, true
}

// Read returns ErrFuse once the process is dead.
func (f *Fuse) Read() error {
	f.before()
	f.mutex.Lock()
	defer f.mutex.Unlock()
	if f.blown && f.Dies {
		return ErrFuse
	}
	return nil
}

// Blown tells whether the chosen write has come.
func (f *Fuse) Blown() bool {
	f.mutex.Lock()
	defer f.mutex.Unlock()
	return f.blown
}

// Writes returns how many writes there were.
func (f *Fuse) Writes() int {
	f.mutex.Lock()
	defer f.mutex.Unlock()
	return f.writes
}

func (f *Fuse) before() {
	if f.Before != nil {
		f.Before()
	}
}
