package flowmonkey

import (
	"context"
	"log/slog"
	"runtime"
	"time"
	"unsafe"

	"flowmonkey/internal/abi"
)

// LevelTrace is below slog.LevelDebug: every step.
const LevelTrace = slog.LevelDebug - 4

var logger = slog.New(logHandler{})

func init() { slog.SetDefault(logger) }

// logHandler passes records on to the host, which adds the time and filters by level.
type logHandler struct {
	prefix string // of open groups: "request."
	fields []field
}

type field struct{ name, value string }

func (h logHandler) Enabled(context.Context, slog.Level) bool { return true }

func (h logHandler) WithAttrs(attrs []slog.Attr) slog.Handler {
	h.fields = h.fields[:len(h.fields):len(h.fields)] // so that siblings do not share what is appended
	for _, attr := range attrs {
		h.fields = appendField(h.fields, h.prefix, attr)
	}
	return h
}

func (h logHandler) WithGroup(name string) slog.Handler {
	if name != "" {
		h.prefix += name + "."
	}
	return h
}

func (h logHandler) Handle(_ context.Context, record slog.Record) error {
	fields := h.fields[:len(h.fields):len(h.fields)]
	record.Attrs(func(attr slog.Attr) bool {
		fields = appendField(fields, h.prefix, attr)
		return true
	})
	pairs := make([]abi.Pair, len(fields))
	for i, field := range fields {
		pairs[i] = abi.Pair{Name: abi.TextOf(field.name), Value: abi.TextOf(field.value)}
	}
	abi.Log(level(record.Level), abi.UTF8(record.Message), unsafe.SliceData(pairs), uint32(len(pairs)))
	runtime.KeepAlive(fields)
	return nil
}

func appendField(fields []field, prefix string, attr slog.Attr) []field {
	value := attr.Value.Resolve()
	switch {
	case attr.Equal(slog.Attr{}):
		return fields
	case value.Kind() == slog.KindGroup:
		if attr.Key != "" {
			prefix += attr.Key + "."
		}
		for _, inner := range value.Group() {
			fields = appendField(fields, prefix, inner)
		}
		return fields
	case value.Kind() == slog.KindTime:
		return append(fields, field{abi.UTF8(prefix + attr.Key), value.Time().Format(time.RFC3339Nano)})
	default:
		return append(fields, field{abi.UTF8(prefix + attr.Key), abi.UTF8(value.String())})
	}
}

// level is the position of a level among trace, debug, info, warn and error.
func level(l slog.Level) uint32 {
	switch {
	case l < slog.LevelDebug:
		return 0
	case l < slog.LevelInfo:
		return 1
	case l < slog.LevelWarn:
		return 2
	case l < slog.LevelError:
		return 3
	default:
		return 4
	}
}
