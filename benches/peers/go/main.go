// The countdown in Go's net/http: main PORT
package main

import (
	"encoding/json"
	"fmt"
	"log"
	"math"
	"net"
	"net/http"
	"os"
	"strconv"
	"sync/atomic"
	"time"
)

type line struct {
	Remaining int     `json:"remaining"`
	Handler   string  `json:"handler"`
	Stream    uint64  `json:"stream"`
	Worker    int     `json:"worker"`
	ElapsedMs float64 `json:"elapsed_ms"`
	LateMs    float64 `json:"late_ms"`
}

var streams atomic.Uint64

func tenthsOfMs(d time.Duration) float64 {
	return math.Round(float64(d)/1e5) / 10
}

func coroutine(w http.ResponseWriter, r *http.Request) {
	query := r.URL.Query()
	from, err := strconv.Atoi(query.Get("from"))
	if err != nil {
		http.Error(w, "from: "+err.Error(), http.StatusBadRequest)
		return
	}
	period, err := time.ParseDuration(query.Get("period"))
	if err != nil {
		http.Error(w, "period: "+err.Error(), http.StatusBadRequest)
		return
	}
	w.Header().Set("Content-Type", "application/x-ndjson")
	stream := streams.Add(1)
	flusher := w.(http.Flusher)
	lines := json.NewEncoder(w)
	first := time.Now()
	for k := 0; k <= from; k++ {
		due := first.Add(time.Duration(k) * period)
		time.Sleep(time.Until(due))
		now := time.Now()
		err := lines.Encode(line{
			Remaining: from - k,
			Handler:   "coroutine",
			Stream:    stream,
			ElapsedMs: tenthsOfMs(now.Sub(first)),
			LateMs:    tenthsOfMs(now.Sub(due)),
		})
		if err != nil {
			return // the client left
		}
		flusher.Flush()
	}
}

func main() {
	listener, err := net.Listen("tcp", "127.0.0.1:"+os.Args[1])
	if err != nil {
		log.Fatal(err)
	}
	fmt.Printf("listening on %s\n", listener.Addr())
	http.HandleFunc("/coroutine", coroutine)
	log.Fatal(http.Serve(listener, nil))
}
