package task_test

import (
	"testing"

	"github.com/tokenim/tokenim/shared/task"
	"github.com/tokenim/tokenim/shared/task/tasktest"
)

func TestMemoryStore(t *testing.T) {
	tasktest.Run(t, func() task.Store { return tasktest.NewStore() })
}
