package recordtest_test

import (
	"context"
	"errors"
	"testing"

	"github.com/tokenim/tokenim/shared/record"
	"github.com/tokenim/tokenim/shared/record/recordtest"
)

func TestLogs(t *testing.T) {
	logs := recordtest.NewLogs()
	recordtest.Run(t, logs, func(_ context.Context, records ...record.Record) (err error) {
		defer func() {
			if panicked := recover(); panicked != nil {
				err = errors.New("refused")
			}
		}()
		logs.Add(records...)
		return nil
	})
}
