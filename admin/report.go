package admin

import (
	"cmp"
	"errors"
	"io"
	"net/http"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/plenum-foundry/plenum/policy"
	"github.com/plenum-foundry/plenum/report"
)

// textCSV is the media type of a table in text.
const textCSV = "text/csv; charset=utf-8"

// The most calls that a drill looks at.
const (
	usualCalls = 100_000
	mostCalls  = 1_000_000
)

func (s *Server) reports() []*operation {
	text := map[string]any{"type": "string"}
	from, to := param{"from", "The beginning, as a time (RFC 3339) or a day; 30 days before the end if left out. Usage is summed by the hour: a time is widened to whole ones.", text}, param{"to", "The end, which is not included; now if left out.", text}
	zone := param{"zone", "The time zone of days, weeks and months, such as Europe/Berlin; UTC if left out.", text}
	var chosen []param
	for _, name := range report.Dimensions() {
		chosen = append(chosen, param{name, "Only what has this " + name + "; several with commas between them.", text})
	}
	chosen = append(chosen, param{"tag", "Only what has this tag, as NAME=VALUE.", text})
	names := map[string]any{"type": "string", "pattern": "^[^,]+(,[^,]+)*$"}
	sums := []param{
		{"by", "What it is summed by, with commas between: " + strings.Join(report.Dimensions(), ", ") + ", tag:NAME. One sum of all if left out.", names},
		{"per", "The length of the periods that the time is divided into.", map[string]any{"enum": []string{report.PerHour, report.PerDay, report.PerWeek, report.PerMonth}}},
		{"measures", "What is told, with commas between: " + strings.Join(report.Measures(), ", ") + ". Calls, errors, tokens and cost if left out.", names},
		{"sort", "The measure that is largest first.", map[string]any{"enum": []string{report.Cost, report.Calls, report.Errors, report.Tokens}}},
		{"top", "How many lines of a period are shown; the others are one line.", map[string]any{"type": "integer", "minimum": 0, "maximum": 10_000}},
		{"format", "JSON if left out.", map[string]any{"enum": []string{"json", "csv"}}},
	}
	times := []param{from, to, zone}
	form := param{"format", "CSV if left out; as JSON, each row is an object.", map[string]any{"enum": []string{"csv", "json"}}}
	hourly := param{"per", "What a row is of; a day if left out.", map[string]any{"enum": []string{report.PerDay, report.PerHour}}}
	return []*operation{
		{
			method: http.MethodGet, path: "/reports/usage", id: "report_usage", noun: "usage", verb: read, csv: true,
			summary: "Sum up what was used and what it cost by any mix of what calls have to do with",
			query:   slices.Concat(sums, times, chosen), answers: map[int]map[string]any{http.StatusOK: schemaOf(reflect.TypeFor[report.Report]())}, serve: s.reportUsage,
		},
		{
			method: http.MethodGet, path: "/reports/focus", id: "report_focus", noun: "usage", verb: read, csv: true,
			summary: "Write what was used in the FOCUS format (version " + report.FocusVersion + ")",
			query:   slices.Concat([]param{hourly, from, to, form}, chosen), answers: map[int]map[string]any{http.StatusOK: focusSchema()}, serve: s.reportFocus,
		},
		{
			method: http.MethodGet, path: "/reports/concentration", id: "report_concentration", noun: "usage", verb: read,
			summary: "Say on which vendors, hosts and models the spending, the tokens and the calls depend",
			query:   slices.Concat([]param{from, to}, chosen), answers: map[int]map[string]any{http.StatusOK: schemaOf(reflect.TypeFor[report.Concentration]())}, serve: s.reportConcentration,
		},
		{
			method: http.MethodGet, path: "/reports/exit-drill", id: "exit_drill", noun: "usage", verb: read,
			summary: "Say what would have happened to the calls of a time without a vendor or a host, with the deployments and policies of now",
			query: []param{
				{"vendor", "The publisher that goes away; either this or host.", text},
				{"host", "The provider or connection that goes away.", text},
				from, to,
				{"project", "Only the calls of this project.", text},
				{"deployment", "Only the calls of this deployment.", text},
				{"limit", "The most calls to look at, the latest first; 100000 if left out.", map[string]any{"type": "integer", "minimum": 1, "maximum": mostCalls}},
			},
			answers: map[int]map[string]any{http.StatusOK: schemaOf(reflect.TypeFor[report.Drill]())}, serve: s.exitDrill,
		},
	}
}

// focusSchema describes a file in the FOCUS format as JSON.
func focusSchema() map[string]any {
	return map[string]any{"type": "array", "items": map[string]any{"type": "object", "required": report.FocusColumns()}}
}

// reportQuery reads what the reports have in common.
func (s *Server) reportQuery(q *request) (out report.Query, err error) {
	out.Zone = time.UTC
	if v := query(q.Request, "zone"); v != "" {
		if out.Zone, err = time.LoadLocation(v); err != nil || v == "Local" {
			return out, fail(http.StatusBadRequest, "bad_parameter", "zone is the name of a time zone such as Europe/Berlin")
		}
	}
	if out.From, out.To, err = span(q, out.Zone); err != nil {
		return out, err
	}
	out.OrganizationOf = s.foundry.Snapshot().OrganizationOf
	out.Filter = map[string][]string{}
	for _, name := range report.Dimensions() {
		if v := query(q.Request, name); v != "" {
			out.Filter[name] = strings.Split(v, ",")
		}
	}
	if v := query(q.Request, "tags"); v != "" {
		out.Filter["tags"] = []string{v}
	}
	if v := query(q.Request, "tag"); v != "" {
		name, value, ok := strings.Cut(v, "=")
		if !ok || name == "" {
			return out, fail(http.StatusBadRequest, "bad_parameter", "tag is NAME=VALUE")
		}
		out.Filter["tag:"+name] = []string{value}
	}
	return out, holdTo(q, out.Filter)
}

// holdTo holds a report to the projects that somebody may see.
func holdTo(q *request, filter map[string][]string) error {
	if q.reach.all {
		return nil
	}
	for _, asked := range filter["project"] {
		if !q.reach.covers(asked) {
			return fail(http.StatusForbidden, "forbidden", "your roles do not let you see the project "+strconv.Quote(asked))
		}
	}
	if len(q.reach.projects) == 0 {
		return fail(http.StatusForbidden, "forbidden", "your organization has no project yet")
	}
	if len(filter["project"]) == 0 {
		filter["project"] = q.reach.projects
	}
	return nil
}

// span reads the time of a report: times, or days in its zone.
func span(q *request, zone *time.Location) (from, to time.Time, err error) {
	for _, p := range []struct {
		name string
		to   *time.Time
	}{{"from", &from}, {"to", &to}} {
		v := query(q.Request, p.name)
		if v == "" {
			continue
		}
		t, err := time.Parse(time.RFC3339, v)
		if err != nil {
			t, err = time.ParseInLocation(time.DateOnly, v, zone)
		}
		if err != nil || t.Year() < 1970 || t.Year() > 9999 {
			return from, to, fail(http.StatusBadRequest, "bad_parameter", p.name+" is a time such as 2027-01-31T15:04:05Z, or a day such as 2027-01-31")
		}
		*p.to = t
	}
	return from, to, nil
}

// names are those of a list with commas.
func names(q *request, name string) []string {
	v := query(q.Request, name)
	if v == "" {
		return nil
	}
	return strings.Split(v, ",")
}

// number reads a number that may be left out.
func number(q *request, name string, least, most, otherwise int) (int, error) {
	v := query(q.Request, name)
	if v == "" {
		return otherwise, nil
	}
	n, err := strconv.Atoi(v)
	if err != nil || n < least || n > most {
		return 0, fail(http.StatusBadRequest, "bad_parameter", name+" is a number from "+strconv.Itoa(least)+" to "+strconv.Itoa(most))
	}
	return n, nil
}

// mistaken makes a problem of what is wrong with a query.
func mistaken(err error) error {
	var m *report.MistakeError
	if errors.As(err, &m) {
		return fail(http.StatusBadRequest, "bad_parameter", m.What)
	}
	return err
}

func (s *Server) reportUsage(q *request) (reply, error) {
	rq, err := s.reportQuery(q)
	if err != nil {
		return reply{}, err
	}
	rq.By, rq.Measures = names(q, "by"), names(q, "measures")
	rq.Per, rq.Sort = query(q.Request, "per"), query(q.Request, "sort")
	if rq.Top, err = number(q, "top", 0, 10_000, 0); err != nil {
		return reply{}, err
	}
	return s.file(q, func(w io.Writer, csv bool) error {
		if csv {
			return report.WriteCSV(q.Context(), w, s.store, rq, s.clock.Now())
		}
		return report.WriteJSON(q.Context(), w, s.store, rq, s.clock.Now())
	}, "json")
}

// file answers with a report that is written as it is made.
func (s *Server) file(q *request, write func(w io.Writer, csv bool) error, usual string) (reply, error) {
	format := cmp.Or(query(q.Request, "format"), usual)
	if format != "json" && format != "csv" {
		return reply{}, fail(http.StatusBadRequest, "bad_parameter", "format is json or csv")
	}
	out := reply{status: http.StatusOK, body: func(w io.Writer) error { return mistaken(write(w, format == "csv")) }}
	if format == "csv" {
		out.media = textCSV
	}
	return out, nil
}

func (s *Server) reportFocus(q *request) (reply, error) {
	rq, err := s.reportQuery(q)
	if err != nil {
		return reply{}, err
	}
	rq.Per = query(q.Request, "per")
	return s.file(q, func(w io.Writer, csv bool) error {
		return report.WriteFocus(q.Context(), w, s.store, rq, !csv, s.clock.Now())
	}, "csv")
}

func (s *Server) reportConcentration(q *request) (reply, error) {
	rq, err := s.reportQuery(q)
	if err != nil {
		return reply{}, err
	}
	c, err := report.Concentrate(q.Context(), s.store, rq, s.clock.Now())
	if err != nil {
		return reply{}, mistaken(err)
	}
	return reply{status: http.StatusOK, body: c}, nil
}

func (s *Server) exitDrill(q *request) (reply, error) {
	x := report.Exit{Vendor: query(q.Request, "vendor"), Host: query(q.Request, "host")}
	x.Deployment = query(q.Request, "deployment")
	var err error
	if x.Project, err = project(q); err != nil {
		return reply{}, err
	}
	if x.Most, err = number(q, "limit", 1, mostCalls, usualCalls); err != nil {
		return reply{}, err
	}
	from, to, err := span(q, time.UTC)
	if err != nil {
		return reply{}, err
	}
	if to.IsZero() {
		to = s.clock.Now()
	}
	if from.IsZero() {
		from = to.AddDate(0, 0, -30)
	}
	x.Filter.From, x.Filter.To = from.UnixMicro(), to.UnixMicro()
	now := s.foundry.Snapshot()
	set, _ := now.Policies.(*policy.Set)
	d, err := report.Rehearse(q.Context(), s.store, now, set, x)
	if err != nil {
		return reply{}, mistaken(err)
	}
	return reply{status: http.StatusOK, body: d}, nil
}
