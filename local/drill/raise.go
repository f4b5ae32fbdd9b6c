package main

import (
	"context"
	"fmt"
	"strings"

	"github.com/tokenim/tokenim/local/drill/backup"
	"github.com/tokenim/tokenim/shared/id"
	"github.com/tokenim/tokenim/shared/table"
)

// counterItem is the sort key of a group's counter.
const counterItem = "N"

// counted is a group's counter.
type counted struct {
	Key      string `dynamodbav:"pk"`
	Item     string `dynamodbav:"sk"`
	Sequence int64  `dynamodbav:"seq"`
	Ordinal  int64  `dynamodbav:"ord"`
}

// given are the highest numbers that were given out in groups, by app#group.
type given map[string]counted

func (g given) note(key string, sequence, ordinal int64) {
	parts := strings.SplitN(key, "#", 3) // a client-ID record's key goes on behind the conversation
	if len(parts) < 2 || !id.IsGroup(parts[1]) {
		return
	}
	group := parts[0] + "#" + parts[1]
	highest := g[group]
	highest.Sequence, highest.Ordinal = max(highest.Sequence, sequence), max(highest.Ordinal, ordinal)
	g[group] = highest
}

// raise lifts the counter of every group to the highest number that the group's log or a client-ID record has: one that was
// restored to an earlier moment would give numbers out again. It returns how many it has lifted.
func raise(ctx context.Context, tables backup.Tables) (raised int, err error) {
	highest := given{}
	type entry struct {
		Key      string `dynamodbav:"pk"`
		Sequence int64  `dynamodbav:"seq"`
		Ordinal  int64  `dynamodbav:"lo"`
	}
	type claim struct {
		Key     string `dynamodbav:"pk"`
		From    int64  `dynamodbav:"from"`
		Ordinal int64  `dynamodbav:"ord"`
	}
	err = scan(ctx, tables, "MESSAGES", func(e entry) error { highest.note(e.Key, e.Sequence, e.Ordinal); return nil })
	if err == nil {
		err = scan(ctx, tables, "SENDS", func(c claim) error { highest.note(c.Key, c.From, c.Ordinal); return nil })
	}
	if err != nil {
		return 0, err
	}
	err = scan(ctx, tables, "GROUPS", func(counter counted) error {
		to := highest[counter.Key]
		if counter.Item != counterItem || counter.Sequence >= to.Sequence && counter.Ordinal >= to.Ordinal {
			return nil
		}
		raised++
		return table.Update{Table: tables.Physical["GROUPS"], Key: table.Key(counter.Key, counter.Item), Set: "SET seq = :seq, ord = :ord",
			If: "attribute_exists(pk)", Values: table.Item{":seq": table.N(max(counter.Sequence, to.Sequence)),
				":ord": table.N(max(counter.Ordinal, to.Ordinal))}}.Run(ctx, tables.DB, nil)
	})
	return raised, err
}

// scan decodes every item of a table into a T and visits it.
func scan[T any](ctx context.Context, tables backup.Tables, name string, visit func(T) error) error {
	for item, err := range tables.Items(ctx, name) {
		if err != nil {
			return err
		}
		var row T
		if err := table.Decode(item, &row); err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
		if err := visit(row); err != nil {
			return err
		}
	}
	return nil
}
