package accessdb

import (
	"context"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"github.com/tokenim/tokenim/shared/access"
	"github.com/tokenim/tokenim/shared/id"
	"github.com/tokenim/tokenim/shared/table"
)

const (
	// readAtOnce is how many rows of grants one query reads: below DynamoDB's 1 MB.
	readAtOnce = 200
	// mostRead bounds the rows that List reads in one call, however few of them the filter chooses.
	mostRead = 1000
)

// List implements access.Store. A position is the ID of a grant.
func (s *Store) List(ctx context.Context, app id.App, filter access.Filter, position string, limit int) ([]access.Grant, string, error) {
	grants := []access.Grant{}
	for read := 0; read < mostRead; {
		page, more, err := s.page(ctx, app, filter.Subject, position)
		if err != nil {
			return nil, "", err
		}
		read += len(page)
		for i, grant := range page {
			position = string(grant.ID)
			if chosen(filter, grant) {
				grants = append(grants, grant)
			}
			if len(grants) == limit && (more || i < len(page)-1) {
				return grants, position, nil
			}
		}
		if !more {
			return grants, "", nil
		}
	}
	return grants, position, nil
}

// page reads the grants behind the position, of all subjects for "".
func (s *Store) page(ctx context.Context, app id.App, subject, position string) (grants []access.Grant, more bool, err error) {
	input := &dynamodb.QueryInput{TableName: &s.Grants, Limit: aws.Int32(readAtOnce),
		KeyConditionExpression:    aws.String("pk = :partition AND sk BETWEEN :low AND :high"),
		ExpressionAttributeValues: between(app.String(), grantLow, position, grantHigh),
		ReturnConsumedCapacity:    types.ReturnConsumedCapacityIndexes}
	if subject != "" {
		input.IndexName = aws.String("by_subject")
		input.KeyConditionExpression = aws.String("subject = :partition AND sk BETWEEN :low AND :high")
		input.ExpressionAttributeValues[":partition"] = table.S(subjectKey(app, subject))
	}
	answer, err := s.DB.Query(ctx, input)
	if err != nil {
		return nil, false, table.Classify("list grants", err)
	}
	for _, item := range answer.Items {
		var found row
		if err := table.Decode(item, &found); err != nil {
			return nil, false, err
		}
		grants = append(grants, found.grant())
	}
	return grants, len(answer.LastEvaluatedKey) > 0, nil
}

// between fills a query for what stands in the partition between low and high, behind the position; "" begins.
func between(partition, low, position, high string) table.Item {
	if position != "" {
		low = position + "\x00"
	}
	return table.Item{":partition": table.S(partition), ":low": table.S(low), ":high": table.S(high)}
}

// chosen tells whether the filter chooses the grant, whose subject is the filter's. DynamoDB sweeps a row days late: one
// that is not kept any more is none.
func chosen(filter access.Filter, grant access.Grant) bool {
	kept := grant.KeptUntil()
	if !kept.IsZero() && !filter.Now.Before(kept) {
		return false
	}
	return (filter.Role == "" || filter.Role == grant.Statement.Role) && (filter.Ended || !grant.Ended(filter.Now))
}
