package message

import (
	"context"

	"github.com/tokenim/tokenim/shared/id"
)

const (
	// mostExported and largestExport bound an export; Lambda answers with 6 MB at most, and quotes cost two.
	mostExported  = 5_000
	largestExport = 3 << 20
	// exportReads bounds how often an export reads on, exportPage how many messages it reads at once.
	exportReads = 10
	exportPage  = mostExported / exportReads
)

// Export has take what the user may see of its conversations, behind the position ("" begins) and in the order of Inbox, until take
// returns false or there is enough for an answer. It returns where to go on, "" at the end. Voids have nothing to take.
func (s *Service) Export(ctx context.Context, app id.App, user id.User, position string, take func(Message) bool) (next string, err error) {
	for range exportReads {
		page, next, err := s.Inbox(ctx, app, user, false, position, exportPage)
		if err != nil {
			return "", err
		}
		for i, message := range page {
			if message.Type == TypeVoid || take(message) || next == "" && i == len(page)-1 {
				continue
			}
			return walkPosition{after: message.ConversationID, within: message.ConversationID, from: message.Seq + 1}.String(), nil
		}
		if position = next; next == "" {
			break
		}
	}
	return position, nil
}
