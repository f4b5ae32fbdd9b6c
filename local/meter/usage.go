package meter

import (
	"encoding/json"
	"strings"
)

// request is what the meter reads of every operation's input.
type request struct {
	TableName     string
	IndexName     string
	RequestItems  map[string]json.RawMessage // BatchGetItem, BatchWriteItem
	TransactItems []map[string]struct{ TableName string }
}

// response is what the meter reads of every operation's output.
type response struct {
	ConsumedCapacity capacities
	Type             string `json:"__type"` // of an error
}

// conditionFailed ends the type of the error that a false condition is answered with.
const conditionFailed = "ConditionalCheckFailedException"

type capacity struct {
	TableName     string
	CapacityUnits float64
}

// capacities is an object for single operations and a list for batches and transactions.
type capacities []capacity

// UnmarshalJSON takes both forms.
func (c *capacities) UnmarshalJSON(text []byte) error {
	if len(text) > 0 && text[0] == '[' {
		return json.Unmarshal(text, (*[]capacity)(c))
	}
	var one capacity
	err := json.Unmarshal(text, &one)
	*c = capacities{one}
	return err
}

// reads are the operations whose units are read units.
var reads = map[string]bool{"GetItem": true, "BatchGetItem": true, "Query": true, "Scan": true, "TransactGetItems": true}

// actions are the IAM actions that the parts of a transaction need.
var actions = map[string]string{
	"Get": "GetItem", "Put": "PutItem", "Update": "UpdateItem", "Delete": "DeleteItem", "ConditionCheck": "ConditionCheckItem",
}

// usages reads one request and its answer. A false condition costs what the write would have: AWS says so, the engine
// names no units, so one is counted, the price of an item of up to 1 KB. Any other refusal costs nothing.
func usages(function, operation string, question, answer []byte) []Usage {
	var in request
	var out response
	_ = json.Unmarshal(question, &in) // what is not JSON names no table, and the engine refuses it
	_ = json.Unmarshal(answer, &out)
	list := accesses(function, operation, in)
	for _, consumed := range out.ConsumedCapacity {
		charge(list, consumed, reads[operation])
	}
	if strings.HasSuffix(out.Type, conditionFailed) {
		list[0].WriteUnits++
	}
	return list
}

// accesses lists what the request touches, without units.
func accesses(function, operation string, in request) []Usage {
	var list []Usage
	add := func(action, table, index string) {
		list = append(list, Usage{Operation: Operation{function, "dynamodb:" + action, table, index}, Calls: 1})
	}
	for _, item := range in.TransactItems {
		for kind, target := range item {
			add(actions[kind], target.TableName, "")
		}
	}
	for table := range in.RequestItems {
		add(operation, table, "")
	}
	if len(list) == 0 {
		add(operation, in.TableName, in.IndexName)
	}
	return list
}

// charge adds units to the first access of their table.
func charge(list []Usage, consumed capacity, read bool) {
	for i := range list {
		if list[i].Table != consumed.TableName {
			continue
		}
		if read {
			list[i].ReadUnits += consumed.CapacityUnits
		} else {
			list[i].WriteUnits += consumed.CapacityUnits
		}
		return
	}
}
