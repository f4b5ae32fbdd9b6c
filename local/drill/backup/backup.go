// Package backup moves whole tables: out to a folder in the form of DynamoDB's export to S3, and from there back into
// tables. What AWS exported is read just so.
//
//	counts, err := backup.Export(ctx, live, backup.Folder("backup"))
//	counts, err = backup.Import(ctx, backup.Folder("backup"), fresh)
package backup

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"slices"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"

	"github.com/tokenim/tokenim/shared/table"
)

// Names returns the platform's tables, each by its variable in template.yaml without TABLE_. Data keys come first:
// without them the rest is noise. The logs come last: what is copied before them names numbers that they have, and a group's
// counter that has fallen behind them can be raised.
func Names() []string {
	return []string{"DATA_KEYS", "DEVELOPERS", "ACCOUNTS", "KEYS", "GRANTS", "RECORDS", "TASKS", "USERS", "CONNECTIONS", "GROUPS", "MEDIA", "CONVERSATIONS", "SENDS", "MESSAGES"}
}

// Source is where items are read from.
type Source interface {
	// Items returns the items of the table with the name of Names, in no order. An error ends them.
	Items(ctx context.Context, name string) iter.Seq2[table.Item, error]
}

// Tables are tables in DynamoDB.
type Tables struct {
	DB *dynamodb.Client
	// Physical has the tables' own names by the names of Names.
	Physical map[string]string
	// PageItems bounds the items of a page; 0 leaves DynamoDB's bound of 1 MB alone.
	PageItems int32
}

// Items implements Source by a strongly consistent scan.
func (t Tables) Items(ctx context.Context, name string) iter.Seq2[table.Item, error] {
	return func(yield func(table.Item, error) bool) {
		strong := true
		input := &dynamodb.ScanInput{ConsistentRead: &strong}
		if t.PageItems > 0 {
			input.Limit = &t.PageItems
		}
		physical, err := t.physical(name)
		input.TableName = &physical
		for err == nil {
			var answer *dynamodb.ScanOutput
			if answer, err = t.DB.Scan(ctx, input); err != nil {
				break
			}
			for _, item := range answer.Items {
				if !yield(item, nil) {
					return
				}
			}
			if len(answer.LastEvaluatedKey) == 0 {
				return
			}
			input.ExclusiveStartKey = answer.LastEvaluatedKey
		}
		yield(nil, fmt.Errorf("scan %s: %w", name, err))
	}
}

func (t Tables) physical(name string) (string, error) {
	if physical := t.Physical[name]; physical != "" {
		return physical, nil
	}
	return "", fmt.Errorf("no table is named for %s", name)
}

// Named returns the names of the tables that are named, in the order of Names.
func (t Tables) Named() []string {
	return slices.DeleteFunc(Names(), func(name string) bool { return t.Physical[name] == "" })
}

// Counts are items by table.
type Counts map[string]int

// Total is the sum over the tables.
func (c Counts) Total() int {
	total := 0
	for _, count := range c {
		total += count
	}
	return total
}

// Count reads every item of the source's tables with the names.
func Count(ctx context.Context, source Source, names []string) (Counts, error) {
	counts := Counts{}
	for _, name := range names {
		for _, err := range source.Items(ctx, name) {
			if err != nil {
				return counts, fmt.Errorf("read %s: %w", name, err)
			}
			counts[name]++
		}
	}
	return counts, nil
}

// ErrNotEmpty says that a table to import into has items, with which the imported ones would mix.
var ErrNotEmpty = errors.New("backup: the table is not empty")

// Import writes the source's items into the tables that are named, which have to be empty.
func Import(ctx context.Context, from Source, to Tables) (Counts, error) {
	for _, name := range to.Named() {
		for _, err := range to.Items(ctx, name) {
			if err != nil {
				return nil, err
			}
			return nil, fmt.Errorf("import %s: %w", name, ErrNotEmpty)
		}
	}
	counts := Counts{}
	for _, name := range to.Named() {
		var err error
		if counts[name], err = importTable(ctx, from, to, name); err != nil {
			return counts, fmt.Errorf("import %s: %w", name, err)
		}
	}
	return counts, nil
}

func importTable(ctx context.Context, from Source, to Tables, name string) (int, error) {
	count := 0
	batch := make([]table.Item, 0, batchSize)
	for item, err := range from.Items(ctx, name) {
		if err != nil {
			return count, err
		}
		if batch = append(batch, item); len(batch) == batchSize {
			if err := to.write(ctx, name, puts(batch)); err != nil {
				return count, err
			}
			batch = batch[:0]
		}
		count++
	}
	return count, to.write(ctx, name, puts(batch))
}
