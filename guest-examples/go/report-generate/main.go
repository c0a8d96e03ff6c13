// Sums sales by region and product. Shows a long handler: it works in batches, saves a checkpoint after each,
// reports progress, stops when told to, and goes on from the checkpoint in the next attempt.
//
// records is JSON lines. The rest may be missing: failAtLine makes attempt 1 fail there, to show attempt 2 go on
// after the last whole batch; pauseMsPerBatch leaves time to watch.
package main

import (
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"flowmonkey"
	"flowmonkey/checkpoint"
)

func main() {}

func init() { flowmonkey.Handle(run) }

const batchLines = 500

// Input is what to sum.
type Input struct {
	Records         *string `json:"records"`
	FailAtLine      int     `json:"failAtLine"`
	PauseMSPerBatch int64   `json:"pauseMsPerBatch"`
}

// Output is the report and how it came about.
type Output struct {
	*Report
	Attempt         int  `json:"attempt"`
	ResumedFromLine *int `json:"resumedFromLine"`
}

func run(ctx *flowmonkey.Context, in Input) (out Output, err error) {
	if in.Records == nil {
		return out, flowmonkey.Fatal("BAD_INPUT", "records are needed")
	}
	lines := splitLines(*in.Records)

	var saved json.RawMessage
	if _, err := checkpoint.Restore("report", &saved); err != nil {
		return out, err
	}
	report := newReport()
	// A checkpoint that does not fit, left by another version of this handler, counts as none.
	if json.Unmarshal(saved, report) != nil {
		report = newReport()
	}
	if report.Lines > 0 {
		next := report.Lines + 1
		out.ResumedFromLine = &next
	}

	for report.Lines < len(lines) {
		batch := lines[report.Lines:min(report.Lines+batchLines, len(lines))]
		for _, line := range batch {
			number := report.Lines + 1
			if in.FailAtLine == number && ctx.Attempt() == 1 {
				return out, flowmonkey.Retryablef("INTERRUPTED", "stopped at line %d", number)
			}
			if err := report.add(line); err != nil {
				return out, flowmonkey.Fatalf("BAD_RECORD", "the record in line %d does not parse: %w", number, err)
			}
		}
		time.Sleep(time.Duration(in.PauseMSPerBatch) * time.Millisecond)

		// First make the batch durable, then say so, and hear whether to go on.
		if err := checkpoint.Save("report", report); err != nil {
			return out, err
		}
		percent := 100 * float64(report.Lines) / float64(len(lines))
		message := fmt.Sprintf("%d of %d lines", report.Lines, len(lines))
		if err := ctx.Progress(percent, message); err != nil {
			return out, err
		}
	}

	report.round()
	out.Report, out.Attempt = report, ctx.Attempt()
	return out, nil
}

// splitLines takes a line break at the end for the end of the last line.
func splitLines(text string) []string {
	if text == "" {
		return nil
	}
	return strings.Split(strings.TrimSuffix(text, "\n"), "\n")
}
