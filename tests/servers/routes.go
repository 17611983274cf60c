// /mutex waits for `ms` (300) while it has a lock; /loop computes for `ms` of a core; /fast answers at once.
package main

import (
	"fmt"
	"net"
	"net/http"
	"strconv"
	"sync"
	"syscall"
	"time"
)

//go:noinline
func step(x uint64) uint64 { return x*6364136223846793005 + 1 }

func loop(steps int64) (x uint64) {
	for ; steps > 0; steps-- {
		x = step(x)
	}
	return x
}

// The time that this process had a core, in milliseconds.
func computed() int64 {
	var usage syscall.Rusage
	syscall.Getrusage(syscall.RUSAGE_SELF, &usage)
	return (usage.Utime.Nano() + usage.Stime.Nano()) / 1e6
}

func main() {
	const tried = 50_000_000
	before := computed()
	loop(tried)
	perMs := tried / (computed() - before + 1)

	ms := func(request *http.Request) int64 {
		if ms, err := strconv.ParseInt(request.FormValue("ms"), 10, 64); err == nil {
			return ms
		}
		return 300
	}
	var lock sync.Mutex
	http.HandleFunc("/mutex", func(w http.ResponseWriter, request *http.Request) {
		lock.Lock()
		defer lock.Unlock()
		time.Sleep(time.Duration(ms(request)) * time.Millisecond)
		fmt.Fprintln(w, "done")
	})
	http.HandleFunc("/loop", func(w http.ResponseWriter, request *http.Request) {
		fmt.Fprintln(w, "done", loop(ms(request)*perMs)&1)
	})
	http.HandleFunc("/fast", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprintln(w, "done") })

	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		panic(err)
	}
	fmt.Printf("http://%s\n", listener.Addr())
	panic(http.Serve(listener, nil))
}
