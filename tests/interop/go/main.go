// peer URL: dynamolock v2, driven by lines of JSON:
//
//	{"do": "new", "as": "c", "table": "t", "owner": "o", "lease_ms": 2000, "heartbeat_ms": 0, "sort": ["name", "value"]}   0: no heartbeats
//	{"do": "acquire", "on": "c", "as": "l", "key": "k", "wait_ms": 0, "data": "text", "at_once": true}
//	{"do": "release"|"expired", "on": "c", "lock": "l"}, {"do": "look", "on": "c", "key": "k"}
//	{"do": "contend", "on": "c", "key": "k", "ms": 5000, "hold_ms": 5, "witness": "file"}   takes and releases until the time is up
//
// Answers: {"id", "result": {…}} or {"id", "error": {"name", "message"}}. A lock that isn't to be had: "acquired": false.
package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand"
	"os"
	"time"

	"cirello.io/dynamolock/v2"
	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
)

type line struct {
	ID          any      `json:"id"`
	Do          string   `json:"do"`
	On          string   `json:"on"`
	As          string   `json:"as"`
	Key         string   `json:"key"`
	Lock        string   `json:"lock"`
	Table       string   `json:"table"`
	Owner       string   `json:"owner"`
	Data        string   `json:"data"`
	Witness     string   `json:"witness"`
	Sort        []string `json:"sort"`
	LeaseMS     int64    `json:"lease_ms"`
	HeartbeatMS int64    `json:"heartbeat_ms"`
	WaitMS      int64    `json:"wait_ms"`
	MS          int64    `json:"ms"`
	HoldMS      int64    `json:"hold_ms"`
	RefreshMS   int64    `json:"refresh_ms"`
	AtOnce      bool     `json:"at_once"`
	Keep        bool     `json:"keep"`
}

type object map[string]any

var (
	service *dynamodb.Client
	clients = map[string]*dynamolock.Client{}
	locks   = map[string]*dynamolock.Lock{}
)

func ms(n int64) time.Duration { return time.Duration(n) * time.Millisecond }

func open(l line) (any, error) {
	options := []dynamolock.ClientOption{dynamolock.WithOwnerName(l.Owner), dynamolock.WithLeaseDuration(ms(l.LeaseMS)),
		dynamolock.WithHeartbeatPeriod(ms(l.HeartbeatMS))}
	if len(l.Sort) == 2 {
		options = append(options, dynamolock.WithSortKey(l.Sort[0], l.Sort[1]))
	}
	client, err := dynamolock.New(service, l.Table, options...)
	clients[l.As] = client
	return nil, err
}

func show(lock *dynamolock.Lock) object {
	return object{"owner": lock.OwnerName(), "data": string(lock.Data()), "expired": lock.IsExpired()}
}

// What isn't to be had is no error: nil.
func take(l line) (*dynamolock.Lock, error) {
	if l.RefreshMS == 0 {
		l.RefreshMS = 50
	}
	options := []dynamolock.AcquireLockOption{dynamolock.WithAdditionalTimeToWaitForLock(ms(l.WaitMS)), dynamolock.WithRefreshPeriod(ms(l.RefreshMS))}
	if l.AtOnce {
		options = append(options, dynamolock.FailIfLocked())
	}
	if l.Data != "" {
		options = append(options, dynamolock.WithData([]byte(l.Data)))
	}
	if !l.Keep {
		options = append(options, dynamolock.WithDeleteLockOnRelease())
	}
	lock, err := clients[l.On].AcquireLock(l.Key, options...)
	var refused *dynamolock.LockNotGrantedError
	if errors.As(err, &refused) {
		return nil, nil
	}
	return lock, err
}

func acquire(l line) (any, error) {
	lock, err := take(l)
	if lock == nil {
		return object{"acquired": false}, err
	}
	locks[l.As] = lock
	out := show(lock)
	out["acquired"] = true
	return out, err
}

func contend(l line) (any, error) {
	held, overlaps, lost := 0, 0, 0
	for end := time.Now().Add(ms(l.MS)); time.Now().Before(end); {
		lock, err := take(l)
		if err != nil {
			return nil, err
		}
		if lock == nil {
			continue
		}
		held++
		file, err := os.OpenFile(l.Witness, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
		if err != nil {
			overlaps++
		}
		time.Sleep(ms(l.HoldMS))
		if err == nil {
			file.Close()
			os.Remove(l.Witness)
		}
		if given, _ := clients[l.On].ReleaseLock(lock); !given {
			lost++
		}
		time.Sleep(time.Duration(rand.Int63n(int64(20 * time.Millisecond)))) // so that the other comes to it
	}
	return object{"held": held, "overlaps": overlaps, "lost": lost}, nil
}

func look(l line) (any, error) {
	lock, err := clients[l.On].Get(l.Key)
	if err != nil || lock == nil || lock.OwnerName() == "" {
		return nil, err
	}
	return show(lock), nil
}

func release(l line) (any, error) {
	released, err := clients[l.On].ReleaseLock(locks[l.Lock])
	return object{"released": released}, err
}

func call(l line) (any, error) {
	switch l.Do {
	case "new":
		return open(l)
	case "acquire":
		return acquire(l)
	case "contend":
		return contend(l)
	case "release":
		return release(l)
	case "expired":
		return object{"expired": locks[l.Lock].IsExpired()}, nil
	case "look":
		return look(l)
	}
	return nil, fmt.Errorf("there is no call %s", l.Do)
}

func main() {
	service = dynamodb.New(dynamodb.Options{
		BaseEndpoint: aws.String(os.Args[1]),
		Region:       os.Getenv("AWS_REGION"),
		Credentials: aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
			return aws.Credentials{AccessKeyID: "peer", SecretAccessKey: "peer"}, nil
		}),
	})
	answers := json.NewEncoder(os.Stdout)
	for in := bufio.NewScanner(os.Stdin); in.Scan(); {
		var l line
		err := json.Unmarshal(in.Bytes(), &l)
		var result any
		if err == nil {
			result, err = call(l)
		}
		answer := object{"id": l.ID, "result": result}
		if err != nil {
			answer = object{"id": l.ID, "error": object{"name": fmt.Sprintf("%T", err), "message": err.Error()}}
		}
		if answers.Encode(answer) != nil {
			os.Exit(1)
		}
	}
}
