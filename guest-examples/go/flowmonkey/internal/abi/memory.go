package abi

import (
	"math"
	"runtime/debug"
	"unsafe"
)

// The host hands strings over in blocks that it asks for, by cabi_realloc, in the middle of a call; and then
// it may not be called itself. But Go's allocator does call it, when it starts a garbage collection or
// gives pages back: it reads the clock, and lets other goroutines run. So there is no collection from the start
// until Run, none in a Call, and the clock stands still there. That also makes it safe to hold addresses
// as plain numbers until they are read, since no block is freed in between.

var (
	started   bool
	gcPercent = debug.SetGCPercent(-1)
)

func init() { started = true }

// softLimit is some way below the 128 MiB that a handler may have unless handler.toml says otherwise. Without
// it the heap grows to twice what is alive before it is collected, and a handler that keeps 55 MB dies of it.
const softLimit = 112 << 20

// CollectGarbage ends the time of the start, in which there is no garbage collection.
func CollectGarbage() {
	if debug.SetMemoryLimit(-1) == math.MaxInt64 {
		debug.SetMemoryLimit(softLimit)
	}
	debug.SetGCPercent(gcPercent)
}

// Call makes a call that hands memory over, and reads all of what it got: what is not reachable afterwards is
// garbage. call should do nothing else.
func Call(call func()) {
	percent := debug.SetGCPercent(-1)
	limit := debug.SetMemoryLimit(math.MaxInt64)
	pauseClock(true)
	call()
	pauseClock(false)
	debug.SetMemoryLimit(limit)
	debug.SetGCPercent(percent)
}

// pauseClock is a function of the adapter between Go's WASI and the component's, of wasmtime 48 and later.
//
//go:wasmimport wasi_snapshot_preview1 adapter_monotonic_clock_set_paused
func pauseClock(bool)

// The adapter asks for 64 KiB twice before Go can allocate.
var (
	early     [2 * (64 << 10) / 8]uint64
	earlyUsed uint32
)

//go:wasmexport cabi_realloc
func realloc(old unsafe.Pointer, oldSize, align, size uint32) unsafe.Pointer {
	words := (size + 7) / 8 // no type needs an alignment over 8
	if !started {
		earlyUsed += words
		return unsafe.Pointer(&early[earlyUsed-words : earlyUsed][0])
	}
	block := make([]uint64, words)
	start := unsafe.Pointer(unsafe.SliceData(block))
	copy(unsafe.Slice((*byte)(start), size), unsafe.Slice((*byte)(old), oldSize))
	return start
}
