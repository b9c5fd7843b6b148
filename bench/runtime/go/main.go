// Functions on AWS's runtime for Go: echo answers with its event, stream streams as many bytes as the event says.
package main

import (
	"context"
	"io"
	"os"

	"github.com/aws/aws-lambda-go/lambda"
)

const blockBytes = 65536

// repeated gives the same block until so many bytes are read.
type repeated struct {
	block []byte
	at    int64
	bytes int64
}

func (r *repeated) Read(into []byte) (int, error) {
	if r.at == r.bytes {
		return 0, io.EOF
	}
	from := r.block[r.at%blockBytes:]
	n := copy(into, from[:min(int64(len(from)), r.bytes-r.at)])
	r.at += int64(n)
	return n, nil
}

type wish struct {
	Bytes int64 `json:"bytes"`
}

func stream(_ context.Context, event wish) (io.Reader, error) {
	block := make([]byte, blockBytes)
	for i := range block {
		block[i] = byte('!' + i%64)
	}
	return &repeated{block: block, bytes: event.Bytes}, nil
}

func echo(_ context.Context, event any) (any, error) { return event, nil }

func main() {
	if os.Getenv("_HANDLER") == "stream" {
		lambda.Start(stream)
	}
	lambda.Start(echo)
}
