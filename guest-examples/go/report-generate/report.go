package main

import (
	"encoding/json"
	"errors"
	"math"
)

// Report is the totals so far: what a checkpoint holds, and at the end the result. Nothing here knows that it is
// part of a job.
type Report struct {
	// Lines is how many are in the totals.
	Lines     int               `json:"lines"`
	ByRegion  map[string]*Total `json:"byRegion"`
	ByProduct map[string]*Total `json:"byProduct"`
}

// Total is of one region or product.
type Total struct {
	Count int     `json:"count"`
	Sum   float64 `json:"sum"`
}

type record struct {
	Region  *string  `json:"region"`
	Product *string  `json:"product"`
	Amount  *float64 `json:"amount"`
}

func newReport() *Report {
	return &Report{ByRegion: make(map[string]*Total), ByProduct: make(map[string]*Total)}
}

// add adds the next line, one record in JSON.
func (r *Report) add(line string) error {
	var sale record
	if err := json.Unmarshal([]byte(line), &sale); err != nil {
		return err
	}
	if sale.Region == nil || sale.Product == nil || sale.Amount == nil {
		return errors.New("region, product and amount are needed")
	}
	count(r.ByRegion, *sale.Region, *sale.Amount)
	count(r.ByProduct, *sale.Product, *sale.Amount)
	r.Lines++
	return nil
}

func count(totals map[string]*Total, key string, amount float64) {
	total := totals[key]
	if total == nil {
		total = new(Total)
		totals[key] = total
	}
	total.Count++
	total.Sum += amount
}

// round rounds the sums to cents. Once, at the end: rounded sums that are added to drift.
func (r *Report) round() {
	for _, totals := range []map[string]*Total{r.ByRegion, r.ByProduct} {
		for _, total := range totals {
			total.Sum = math.Round(total.Sum*100) / 100
		}
	}
}
