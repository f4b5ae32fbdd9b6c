// Package sealkms wraps data keys with AWS KMS.
package sealkms

import (
	"context"
	"errors"
	"fmt"
	"os"

	"github.com/aws/aws-sdk-go-v2/service/kms"
	"github.com/aws/aws-sdk-go-v2/service/kms/types"

	"github.com/tokenim/tokenim/shared/awsenv"
	"github.com/tokenim/tokenim/shared/fault"
	"github.com/tokenim/tokenim/shared/seal"
)

// Wrapper makes and unwraps data keys with one KMS key.
type Wrapper struct {
	client *kms.Client
	key    string
}

// FromEnvironment returns the wrapper that the environment names: the key file in LOCAL_KEY_FILE on a laptop, else the
// KMS key in KMS_KEY.
func FromEnvironment() (seal.Wrapper, error) {
	if path := os.Getenv("LOCAL_KEY_FILE"); path != "" {
		return seal.OpenKeyFile(path)
	}
	client := kms.NewFromConfig(awsenv.Config(), func(o *kms.Options) { o.BaseEndpoint = awsenv.Endpoint("KMS") })
	return &Wrapper{client: client, key: os.Getenv("KMS_KEY")}, nil
}

// Generate implements seal.Wrapper.
func (w *Wrapper) Generate(ctx context.Context, context map[string]string) (key, wrapped []byte, err error) {
	answer, err := w.client.GenerateDataKey(ctx, &kms.GenerateDataKeyInput{
		KeyId: &w.key, KeySpec: types.DataKeySpecAes256, EncryptionContext: context})
	if err != nil {
		return nil, nil, classify("kms generate data key", err)
	}
	return answer.Plaintext, answer.CiphertextBlob, nil
}

// Unwrap implements seal.Wrapper. The key is named, so that nothing wrapped by another key is accepted.
func (w *Wrapper) Unwrap(ctx context.Context, wrapped []byte, context map[string]string) ([]byte, error) {
	answer, err := w.client.Decrypt(ctx, &kms.DecryptInput{
		KeyId: &w.key, CiphertextBlob: wrapped, EncryptionContext: context})
	if err != nil {
		return nil, classify("kms decrypt", err)
	}
	return answer.Plaintext, nil
}

// classify makes throttling and time-outs a retryable refusal instead of a defect.
func classify(doing string, err error) error {
	err = fmt.Errorf("%s: %w", doing, err)
	if awsenv.Transient(err) || isKMSTrouble(err) {
		return fault.Wrap(err, fault.Unavailable)
	}
	return err
}

// isKMSTrouble knows the two errors of KMS that the SDK's list lacks.
func isKMSTrouble(err error) bool {
	_, internal := errors.AsType[*types.KMSInternalException](err)
	_, slow := errors.AsType[*types.DependencyTimeoutException](err)
	return internal || slow
}
