package dialect

// Shapes says what a dialect has words for, of what gives an answer its shape.
type Shapes struct {
	Schema bool // a JSON Schema that the answer must match
	JSON   bool // any JSON object
	Tools  bool // tools that the model can be made to call
}

// Limited is a Client that lacks some of Shapes.
type Limited interface{ Shapes() Shapes }

// ShapesOf returns what a client has words for: all of it, unless it says otherwise.
func ShapesOf(c Client) Shapes {
	if l, ok := c.(Limited); ok {
		return l.Shapes()
	}
	return Shapes{Schema: true, JSON: true, Tools: true}
}
