// Receives webhooks in the meeva and the standard format: checks who sent them over the raw body, takes each event once, answers,
// and works afterwards.
//
//	SECRET=whsec_… go run .
package main

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"os"
	"strconv"
	"strings"
	"sync"
	"time"
)

const (
	maxBytes = 102_400
	maxAge   = 5 * time.Minute
	// The ids of the last events that are remembered. They outlive no restart: a table with a unique column does.
	mostRemembered = 10_000
)

type event struct {
	ID   string
	Type string `json:"type"`
}

type receiver struct {
	secret string
	// What Standard Webhooks signs with; nil where the secret is no such key.
	key   []byte
	mutex sync.Mutex
	seen  map[string]bool
	order []string
	// What is done after the answer. It is lost with the process: a table of your own, written before the answer, is not.
	waiting chan event
}

// standardKey is what stands behind whsec_, in base64; nil where the secret is no key of Standard Webhooks.
func standardKey(secret string) []byte {
	text := strings.TrimPrefix(secret, "whsec_")
	key, err := base64.StdEncoding.Strict().DecodeString(text)
	if err != nil || text == secret || len(key) < 24 || len(key) > 64 {
		return nil
	}
	return key
}

func mac(key []byte, parts ...[]byte) []byte {
	hash := hmac.New(sha256.New, key)
	for _, part := range parts {
		hash.Write(part)
	}
	return hash.Sum(nil)
}

// holdsMeeva checks Meeva's scheme: the body alone. The key is the secret as it is written, whsec_ included.
func (r *receiver) holdsMeeva(body []byte, signature string) bool {
	wanted := "sha256=" + hex.EncodeToString(mac([]byte(r.secret), body))
	return hmac.Equal([]byte(wanted), []byte(signature))
}

// holdsStandard checks Standard Webhooks: id, time and body. There may be several signatures while a secret is replaced. What is
// older than five minutes may be a recording.
func (r *receiver) holdsStandard(body []byte, id, timestamp, signatures string) bool {
	seconds, err := strconv.ParseInt(timestamp, 10, 64)
	if err != nil {
		return false
	}
	if age := time.Since(time.Unix(seconds, 0)); age > maxAge || age < -maxAge {
		return false
	}
	signed := mac(r.key, []byte(id+"."+timestamp+"."), body)
	wanted := "v1," + base64.StdEncoding.EncodeToString(signed)
	holds := false
	for _, signature := range strings.Split(signatures, " ") {
		holds = hmac.Equal([]byte(wanted), []byte(signature)) || holds
	}
	return holds
}

// isSigned wants every signature that came to hold, and one to be there.
func (r *receiver) isSigned(header http.Header, body []byte) bool {
	meeva, standard := header.Get("Meeva-Signature"), header.Get("Webhook-Signature")
	if meeva != "" && !r.holdsMeeva(body, meeva) {
		return false
	}
	if standard == "" || r.key == nil {
		// With a key of the scheme there is always one; otherwise an attacker would leave it out.
		return meeva != "" && r.key == nil
	}
	return r.holdsStandard(body, header.Get("Webhook-Id"), header.Get("Webhook-Timestamp"), standard)
}

// isNew is true the first time that this id comes.
func (r *receiver) isNew(id string) bool {
	r.mutex.Lock()
	defer r.mutex.Unlock()
	if r.seen[id] {
		return false
	}
	r.seen[id] = true
	r.order = append(r.order, id)
	if len(r.order) > mostRemembered {
		delete(r.seen, r.order[0])
		r.order = r.order[1:]
	}
	return true
}

func (r *receiver) ServeHTTP(w http.ResponseWriter, request *http.Request) {
	if request.Method != http.MethodPost {
		http.Error(w, "POST only", http.StatusMethodNotAllowed)
		return
	}
	// The bytes as they came: JSON that is parsed and written again is another text.
	body, err := io.ReadAll(http.MaxBytesReader(w, request.Body, maxBytes))
	if err != nil {
		http.Error(w, "Too long", http.StatusRequestEntityTooLarge)
		return
	}
	if !r.isSigned(request.Header, body) {
		fmt.Println("refused: the signature does not match")
		http.Error(w, "Invalid signature", http.StatusUnauthorized)
		return
	}
	taken := event{ID: request.Header.Get("Webhook-Id")}
	if err := json.Unmarshal(body, &taken); err != nil {
		http.Error(w, "Invalid JSON", http.StatusBadRequest)
		return
	}
	taken.ID = request.Header.Get("Webhook-Id")
	if r.isNew(taken.ID) {
		r.waiting <- taken
	} else {
		fmt.Println(taken.ID, "duplicate")
	}
	fmt.Fprint(w, "OK")
}

func (r *receiver) work() {
	for taken := range r.waiting {
		switch taken.Type {
		case "booking.created":
			fmt.Println(taken.ID, "new booking")
		case "booking.cancelled":
			fmt.Println(taken.ID, "cancelled booking")
		case "booking.rescheduled":
			fmt.Println(taken.ID, "moved booking")
		default: // a type that this receiver does not know yet is no error
			fmt.Println(taken.ID, "ignored")
		}
	}
}

func variable(name, otherwise string) string {
	if value := os.Getenv(name); value != "" {
		return value
	}
	return otherwise
}

func main() {
	receiver := &receiver{
		secret:  os.Getenv("SECRET"),
		key:     standardKey(os.Getenv("SECRET")),
		seen:    map[string]bool{},
		waiting: make(chan event, mostRemembered),
	}
	if receiver.secret == "" {
		log.Fatal("SECRET is not set: give it the signing secret of the endpoint")
	}
	go receiver.work()
	address := net.JoinHostPort(variable("HOST", "127.0.0.1"), variable("PORT", "3000"))
	server := &http.Server{Addr: address, Handler: receiver, ReadHeaderTimeout: 10 * time.Second}
	fmt.Println("listening on http://" + address)
	log.Fatal(server.ListenAndServe())
}
