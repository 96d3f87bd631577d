package report

// Hold bounds how many numbers a report holds at once, so that tests see what else only millions of lines show.
func (q *Query) Hold(n int) { q.hold = n }
