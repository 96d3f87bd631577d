package llm

// Rerank asks how well documents answer a query.
type Rerank struct {
	Model     string // as the caller named it: a deployment
	Query     string
	Documents []RankDocument
	Top       Opt[int]  // how many of the best are wanted
	MaxDoc    Opt[int]  // most tokens read of a document
	Return    Opt[bool] // whether the documents are wanted back
	Extra     Extra
}

// Op returns OpRerank.
func (*Rerank) Op() Op   { return OpRerank }
func (*Rerank) payload() {}

// RankDocument is a document to be ranked: its text, and the JSON object that it stood in if it was one.
type RankDocument struct {
	Text string
	Raw  string
}

// Ranking answers Rerank.
type Ranking struct {
	ID      string
	Model   string
	Results []Ranked // the best first
	Usage   Usage
	Extra   Extra
}

func (*Ranking) result() {}

// Consumption implements Measured.
func (r *Ranking) Consumption() Usage { return r.Usage }

// Ranked is how well a document answers the query.
type Ranked struct {
	Index    int    // of the document, counted from 0
	Score    string // the number as it stood
	Document string // JSON, where it was given back
	Extra    Extra
}

// unitDocuments is how many documents vendors count as one search when they rank them.
const unitDocuments = 100

// EstimateRerank returns about what ranking consumes: vendors bill either tokens or searches.
func EstimateRerank(r *Rerank) Usage {
	var u Usage
	query := EstimateText(len(r.Query))
	for _, d := range r.Documents {
		u.Input += query + EstimateText(len(d.Text)+len(d.Raw))
	}
	u.Searches = int64((len(r.Documents) + unitDocuments - 1) / unitDocuments)
	return u
}
