package abi

import (
	"strings"
	"structs"
	"unsafe"
)

// Text is a string or a list<u8> in memory that the host reads or has written.
type Text struct {
	_     structs.HostLayout
	start uint32
	bytes uint32
}

// escaping makes the compiler put what is assigned to it on the heap, for stacks move.
var escaping string

// UTF8 is text as the host can take it for a string: any other would be a trap, and a string of Go's may hold
// whatever bytes there are, such as half a letter where it was cut.
func UTF8(text string) string { return strings.ToValidUTF8(text, "\uFFFD") }

// TextOf is valid as long as text is reachable.
func TextOf(text string) Text {
	escaping = text
	return Text{start: address(unsafe.StringData(text)), bytes: uint32(len(text))}
}

// TextAt is what the host has written at an address.
func TextAt(start, bytes uint32) Text { return Text{start: start, bytes: bytes} }

func (t Text) String() string {
	return unsafe.String(at[byte](t.start), t.bytes)
}

// Bytes shares its memory with the string of the same text.
func (t Text) Bytes() []byte {
	return unsafe.Slice(at[byte](t.start), t.bytes)
}

// Pair is a tuple<string, string>.
type Pair struct {
	_           structs.HostLayout
	Name, Value Text
}

// Optional is an option<string>.
type Optional struct {
	_    structs.HostLayout
	Some uint32
	Text Text
}

func Some(text string) Optional { return Optional{Some: 1, Text: TextOf(text)} }

// OptionalNumber is an option<u64>.
type OptionalNumber struct {
	_      structs.HostLayout
	Some   uint32
	_      uint32
	Number uint64
}

// Answer is what a call that may fail returns: result<T, host-error>. Which of its parts means something
// depends on T.
type Answer struct {
	_      structs.HostLayout
	failed uint32
	words  [3]uint32
}

// String is the string of a result<string, _>.
func (a *Answer) String() string { return Text{start: a.words[0], bytes: a.words[1]}.String() }

// Optional is the string of a result<option<string>, _>, if any.
func (a *Answer) Optional() (string, bool) {
	if a.words[0] == 0 {
		return "", false
	}
	return Text{start: a.words[1], bytes: a.words[2]}.String(), true
}

// Strings is the list of a result<list<string>, _>.
func (a *Answer) Strings() []string {
	list := List[Text](a.words[0], a.words[1])
	texts := make([]string, len(list))
	for i, text := range list {
		texts[i] = text.String()
	}
	return texts
}

// Pairs is the list of a result<list<tuple<string, string>>, _>.
func (a *Answer) Pairs() []Pair { return List[Pair](a.words[0], a.words[1]) }

// List is what the host has written at an address.
func List[T any](start, length uint32) []T { return unsafe.Slice(at[T](start), length) }

func at[T any](address uint32) *T { return (*T)(unsafe.Add(unsafe.Pointer(nil), address)) }

func address[T any](value *T) uint32 { return uint32(uintptr(unsafe.Pointer(value))) }
