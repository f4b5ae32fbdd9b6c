package apikeytest

import (
	"context"
	"slices"
	"sync"
	"time"

	"github.com/tokenim/tokenim/shared/apikey"
	"github.com/tokenim/tokenim/shared/id"
)

// Task is work that was left for later.
type Task struct {
	Kind    string
	Due     time.Time
	App     id.App
	Subject string
}

// Tasks implements apikey.Tasks in memory. It is safe for concurrent use.
type Tasks struct {
	mutex sync.Mutex
	tasks []Task
	err   error
}

var _ apikey.Tasks = (*Tasks)(nil)

// Add implements apikey.Tasks.
func (t *Tasks) Add(_ context.Context, kind string, due time.Time, app id.App, subject string) error {
	t.mutex.Lock()
	defer t.mutex.Unlock()
	task := Task{kind, due, app, subject}
	if t.err == nil && !slices.Contains(t.tasks, task) {
		t.tasks = append(t.tasks, task)
	}
	return t.err
}

// Fail answers with the error from now on; nil ends that.
func (t *Tasks) Fail(err error) {
	t.mutex.Lock()
	defer t.mutex.Unlock()
	t.err = err
}

// Take removes and returns the tasks, the earliest first.
func (t *Tasks) Take() []Task {
	t.mutex.Lock()
	defer t.mutex.Unlock()
	taken := t.tasks
	t.tasks = nil
	slices.SortStableFunc(taken, func(a, b Task) int { return a.Due.Compare(b.Due) })
	return taken
}

// Notice is a mail about a key.
type Notice struct {
	Kind string
	Key  id.Key
}

// Mailer implements apikey.Mailer in memory.
type Mailer struct{ notices []Notice }

var _ apikey.Mailer = (*Mailer)(nil)

// KeyNotice implements apikey.Mailer.
func (m *Mailer) KeyNotice(_ context.Context, _ id.App, kind string, key apikey.Key) error {
	m.notices = append(m.notices, Notice{kind, key.ID})
	return nil
}

// Take removes and returns the notices.
func (m *Mailer) Take() []Notice {
	taken := m.notices
	m.notices = nil
	return taken
}
