package check

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/tokenim/tokenim/shared/id"
)

// auditRow is an item of the table of audit records: a record, or the head of a chain of them.
type auditRow struct {
	Chain   string `dynamodbav:"pk"`
	Sort    string `dynamodbav:"sk"`
	Text    string `dynamodbav:"text"`
	Subject string `dynamodbav:"subject"`
	Month   string `dynamodbav:"month"`
	When    string `dynamodbav:"when"`

	Seq  int64  `dynamodbav:"seq"`
	Hash string `dynamodbav:"hash"`
}

// link is what is left of a record: its number, the hash of its text, and the one that it says comes before.
type link struct {
	seq            int64
	hash, previous string
}

// auditChain is a chain of audit records, as it was read.
type auditChain struct {
	links []link
	head  link
}

// headSort is the sort key of the head of a chain.
const headSort = "head"

// logChains is how many chains a log has.
const logChains = 16

// readAudit reads the audit records and the heads of their chains.
func (c *checker) readAudit(ctx context.Context) error {
	return each(ctx, c, "RECORDS", func(row auditRow) error {
		where := "RECORDS " + row.Chain + " " + row.Sort
		log, chain, _ := strings.Cut(row.Chain, "#")
		if c.leaves(id.StoredApp(log), where) {
			return nil
		}
		if !isChain(chain) || !id.IsApp(log) && !id.IsAccount(log) {
			c.problem(Unreadable, where, "not a chain of an app or an account")
			return nil
		}
		known := c.audit[row.Chain]
		if known == nil {
			known = &auditChain{}
			c.audit[row.Chain] = known
		}
		if row.Sort == headSort {
			known.head = link{seq: row.Seq, hash: row.Hash}
			return nil
		}
		c.report.Records++
		next, ok := row.link(log, chain)
		if !ok {
			c.problem(Unreadable, where, "not a record that stands where it says")
			return nil
		}
		known.links = append(known.links, next)
		return nil
	})
}

func isChain(text string) bool {
	return len(text) == 1 && strings.Contains("0123456789abcdef"[:logChains], text)
}

// link reads a record; ok is false for one that does not stand, in the table and in its indexes, where it says.
func (r auditRow) link(log, chain string) (made link, ok bool) {
	var said struct {
		Log      string
		Chain    int
		Seq      int64
		At       time.Time
		Subject  string
		Previous string
	}
	if err := json.Unmarshal([]byte(r.Text), &said); err != nil {
		return link{}, false
	}
	sum := sha256.Sum256([]byte(r.Text))
	subject := ""
	if said.Subject != "" {
		subject = log + "#" + said.Subject
	}
	stands := said.Log == log && fmt.Sprintf("%x", said.Chain) == chain && r.Sort == fmt.Sprintf("%016d", said.Seq) &&
		r.Subject == subject && r.Month == log+"#"+said.At.UTC().Format("2006-01") &&
		r.When == fmt.Sprintf("%013d#%s#%s", said.At.UnixMilli(), chain, r.Sort)
	return link{seq: said.Seq, hash: hex.EncodeToString(sum[:]), previous: said.Previous}, stands
}

// checkAudit checks that every chain is one from its first record to its head, and that its log has an owner.
func (c *checker) checkAudit() {
	for where, chain := range c.audit {
		log, _, _ := strings.Cut(where, "#")
		_, ofApp := c.apps[id.StoredApp(log)]
		_, ofAccount := c.accounts[id.Account(log)]
		if !ofApp && !ofAccount {
			c.problem(Record, "RECORDS "+where, "its app or account has no row")
		}
		slices.SortFunc(chain.links, func(a, b link) int { return int(a.seq - b.seq) })
		last := link{}
		for _, next := range chain.links {
			if next.seq != last.seq+1 || next.previous != last.hash {
				c.problem(Record, "RECORDS "+where, "number %d does not follow from number %d", next.seq, last.seq)
			}
			last = next
		}
		if chain.head.seq != last.seq || chain.head.hash != last.hash {
			c.problem(Record, "RECORDS "+where, "ends at number %d, by its head at %d, or with another hash", last.seq, chain.head.seq)
		}
	}
}
