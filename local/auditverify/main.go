// Command auditverify verifies the audit records of an installation, whole, and exits with 1 where they are not as they
// were written.
//
//	go run ./local/auditverify -table <RecordsTableName of the stack> [-log app_…] [-heads heads.json]
//
// Without -log it verifies every log of the table. -heads names a file with the heads of the chains: those that are in it
// have to be on the chains still, which finds what a table cannot tell by itself, that records were written anew together
// with their heads. After a verification without a problem it has the heads of now. Keep it where nobody who may write the
// table can change it.
//
// Region and credentials come from AWS_REGION and AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, AWS_SESSION_TOKEN, as
// `aws configure export-credentials --format env` prints them, the endpoint from AWS_ENDPOINT_URL_DYNAMODB.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"

	"github.com/tokenim/tokenim/shared/id"
	"github.com/tokenim/tokenim/shared/record"
	"github.com/tokenim/tokenim/shared/record/recorddb"
	"github.com/tokenim/tokenim/shared/table"
)

// errBroken says that records are not as they were written; what is wrong has been printed.
var errBroken = errors.New("the records are not as they were written")

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	err := run(ctx, os.Args[1:], os.Stdout)
	switch {
	case errors.Is(err, flag.ErrHelp):
	case errors.Is(err, errBroken):
		fmt.Fprintln(os.Stderr, "auditverify:", err)
		os.Exit(1)
	case err != nil:
		fmt.Fprintln(os.Stderr, "auditverify:", err)
		os.Exit(2)
	}
}

func run(ctx context.Context, args []string, out io.Writer) error {
	flags := flag.NewFlagSet("auditverify", flag.ContinueOnError)
	name := flags.String("table", "", "the stack's output RecordsTableName")
	only := flags.String("log", "", "the one app or account to verify; all without it")
	file := flags.String("heads", "", "a file of heads to compare with and to write")
	if err := flags.Parse(args); err != nil {
		return err
	}
	if *name == "" || os.Getenv("AWS_REGION") == "" || os.Getenv("AWS_ACCESS_KEY_ID") == "" {
		return errors.New("-table, AWS_REGION and AWS_ACCESS_KEY_ID are needed; see -help")
	}
	if *only != "" && !id.IsApp(*only) && !id.IsAccount(*only) {
		return fmt.Errorf("-log: %q is neither an app nor an account", *only)
	}
	known, err := readHeads(*file)
	if err != nil {
		return err
	}
	writer := &recorddb.Writer{DB: table.Client(), Table: *name}
	logs := []record.Log{record.Log(*only)}
	if *only == "" {
		if logs, err = everyLog(ctx, writer, known); err != nil {
			return err
		}
	}
	v := &verifier{store: &recorddb.Store{Writer: writer}, known: known, out: out}
	if err := v.all(ctx, logs); err != nil {
		return err
	}
	return writeHeads(*file, v.known)
}
