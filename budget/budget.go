// Package budget holds what may be spent: accounts with a bound for a window of time, and holds that are taken of
// them before something is spent and settled when it is known what it was.
//
// An amount is a whole number of whatever an account counts: micro-dollars, requests, tokens, calls at the same
// time. A hold takes of several accounts in one step, all or none, so that budgets may stand within each other in
// any way. What is held and what is spent of an account are together never more than its bound, unless more was
// spent than had been held; see [Book].
package budget

import (
	"context"
	"errors"
	"strings"
	"time"

	plenum "github.com/plenum-foundry/plenum"
)

// Unit is what an account counts.
type Unit string

// The units.
const (
	Money    Unit = "usd_micros"
	Requests Unit = "requests"
	Tokens   Unit = "tokens" // read and written
	Input    Unit = "input_tokens"
	Output   Unit = "output_tokens"
	Calls    Unit = "concurrent" // calls at the same time: held and never spent
)

// ErrAway is the error of a book that cannot be reached, so that nobody knows what is left.
var ErrAway = errors.New("the server that budgets and limits are kept in is away")

// Counted reports whether what a node that died had open of an account is counted already: a request is, from the
// moment at which it was taken.
func Counted(account string) bool { return strings.HasPrefix(account, "["+string(Requests)+"]") }

// Account is one sum with its bound.
type Account struct {
	// ID is what the sum is kept under: the budget's name, and whose part of it this is where each key, project
	// or the like has one of its own.
	ID     string
	Unit   Unit
	Bound  int64
	Window plenum.Window
}

// Line is what a hold takes of one account.
type Line struct {
	Account Account
	Amount  int64
	// Grows says that the hold, and others like it, will take more: unless nothing else is held of the account, the line
	// must leave as much of it as is held then. Holds that grow would else wait for each other for ever.
	Grows bool
	// Hold is the hold that the line belongs to; "" is the one that is taken. So what a call counts once, and what each
	// attempt of it costs, are taken in one step and end apart.
	Hold string
	// Balance is what Take leaves behind where it does not refuse: the account with this line in it.
	Balance Balance
}

// at returns which hold a line belongs to.
func (l *Line) at(hold string) string {
	if l.Hold != "" {
		return l.Hold
	}
	return hold
}

// Spends reports whether what is taken of an account is spent at once, so that it counts in the window in which it was taken and
// no longer: a request, however long its answer takes.
func (a *Account) Spends() bool { return a.Unit == Requests }

// Balance is the state of an account at one moment.
type Balance struct {
	Spent  int64
	Held   int64
	Resets time.Time // when what is spent counts for less; zero: never
}

// Left returns how much of a bound is neither spent nor held.
func (b Balance) Left(bound int64) int64 { return max(0, bound-b.Spent-b.Held) }

// Refusal says which account had too little left, and what it had.
type Refusal struct {
	Account Account
	Asked   int64
	Balance Balance
}

// Book keeps the accounts. Its methods may be called at the same time; each is one step.
//
// A hold has an id of its own, such as that of a call and the number of the attempt. It belongs to the slots of the
// moment when it was taken: what is spent after midnight of what was held before is of the day before.
type Book interface {
	// Take adds to what a hold has, of every line, or refuses and takes nothing. A hold that is there already grows;
	// lines that name no account of it are added to it. One that was settled cannot be taken again. Where nothing is refused
	// each line has its Balance.
	Take(ctx context.Context, hold string, lines []Line, now time.Time) (*Refusal, error)
	// Settle ends a hold: the amounts are spent, in the order of the lines that Take had, and the rest is given
	// back. More than was held is spent all the same, for it is the truth. A hold that is not there, or was settled
	// before, is left alone. It returns what was charged. The holds in also end with it, in the same step: they have spent
	// what they have taken of accounts that are spent of at once, and of others nothing.
	Settle(ctx context.Context, hold string, amounts []int64, also ...string) ([]plenum.Charge, error)
	// Balances returns the state of accounts.
	Balances(ctx context.Context, accounts []Account, now time.Time) ([]Balance, error)
	// Parts returns the ids of accounts that begin so and of which something is known, up to so many.
	Parts(ctx context.Context, prefix string, most int) ([]string, error)
	// Restore puts charges on record that were made before the book was there.
	Restore(ctx context.Context, charges []plenum.Charge) error
}
