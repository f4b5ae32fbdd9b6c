package main

import (
	"context"
	"fmt"
	"io"
	"maps"
	"math"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"github.com/tokenim/tokenim/shared/record"
	"github.com/tokenim/tokenim/shared/record/recorddb"
	"github.com/tokenim/tokenim/shared/table"
)

// verifier verifies logs. It takes the heads of good chains among the known ones.
type verifier struct {
	store record.Store
	known heads
	out   io.Writer
}

// all verifies the logs, and returns errBroken where one is not as it was written.
func (v *verifier) all(ctx context.Context, logs []record.Log) error {
	broken := false
	for _, log := range logs {
		good, err := v.log(ctx, log)
		if err != nil {
			return err
		}
		broken = broken || !good
	}
	if broken {
		return errBroken
	}
	return nil
}

// log verifies the chains of a log from their first record to their end, and prints what it finds.
func (v *verifier) log(ctx context.Context, log record.Log) (good bool, err error) {
	good, records := true, int64(0)
	for chain := range record.Chains {
		result, err := record.Verify(ctx, v.store, log, chain, record.Head{}, math.MaxInt32, v.known[keyOf(log, chain)])
		if err != nil {
			return false, err
		}
		fmt.Fprintf(v.out, "%s chain %2d: %6d records  %s\n", log, chain, result.Head.Seq, result.Head.Hash)
		records += result.Head.Seq
		if result.Problem != "" {
			good = false
			fmt.Fprintf(v.out, "%s chain %2d: %s at %s\n", log, chain, result.Problem, result.BrokenAt)
			continue
		}
		v.known.set(log, chain, result.Head)
	}
	verdict := "as they were written"
	switch {
	case !good && records == 0:
		verdict = "gone; if the app was erased, take its heads out of the file"
	case !good:
		verdict = "NOT as they were written"
	}
	fmt.Fprintf(v.out, "%s: %d records, %s\n", log, records, verdict)
	return good, nil
}

// everyLog returns the logs of the table, by a scan, and those that have known heads: a log that is gone is a problem too.
func everyLog(ctx context.Context, writer *recorddb.Writer, known heads) ([]record.Log, error) {
	found := map[record.Log]bool{}
	for key := range known {
		log, _, _ := strings.Cut(key, "#")
		found[record.Log(log)] = true
	}
	input := &dynamodb.ScanInput{TableName: &writer.Table, ProjectionExpression: aws.String("pk")}
	for pages := dynamodb.NewScanPaginator(writer.DB, input); pages.HasMorePages(); {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return nil, table.Classify("scan the records", err)
		}
		for _, item := range page.Items {
			if key, ok := item["pk"].(*types.AttributeValueMemberS); ok {
				log, _, _ := strings.Cut(key.Value, "#")
				found[record.Log(log)] = true
			}
		}
	}
	return slices.Sorted(maps.Keys(found)), nil
}
