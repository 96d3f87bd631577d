package catalog

import "github.com/plenum-foundry/plenum/catalog/internal/record"

// The nouns, in the form in which they are kept, sent and shown.
type (
	// Publisher is a lab that makes models.
	Publisher = record.Publisher
	// Model is a model, whoever serves it.
	Model = record.Model
	// Version is one state of a model, which does not change any more.
	Version = record.Version
	// Offer is a model at one place: what it is called there, what it can do, what it costs.
	Offer = record.Offer
	// Price is what an offer costs, or did, between two days.
	Price = record.Price
	// Picture is the rate of a thousand images of a quality and a size.
	Picture = record.Picture
	// Hours are the rates of some hours of the day.
	Hours = record.Hours
	// Rate is an amount of dollars, in millionths.
	Rate = record.Rate
	// Lifecycle is where a model stands in its life at one place.
	Lifecycle = record.Lifecycle
	// Stage is a part of that life.
	Stage = record.Stage
	// Handling is what a place does with what it is told.
	Handling = record.Handling
	// Source is where facts are from, and as of when.
	Source = record.Source
)

// The stages of a life, from the first to the last.
const (
	Preview    = record.Preview
	GA         = record.GA
	Legacy     = record.Legacy
	Deprecated = record.Deprecated
	Retired    = record.Retired
)
