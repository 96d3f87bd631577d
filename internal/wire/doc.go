// Package wire reads and writes the JSON objects of a vendor's API, as every dialect does it.
//
// Reading: [Parse] makes a table of a body in one pass, and a [Value] is a place in it. Members are taken
// up by name with [Value.Fields], and what nobody knows goes to an llm.Extra as it stood. A value of the
// wrong kind is a [Fault], which knows its path; [Invalid] makes of it what the caller is told.
//
// Writing: an [Object] says what llm carries and then the members that were kept in its Extra. What was
// kept wins, for it is what stood on the wire.
//
//	var b llm.Text
//	err := v.Fields(Name, &b.Extra, func(key []byte, m wire.Value) (known bool, err error) {
//		switch string(key) {
//		case "type":
//			return true, nil
//		case "text":
//			b.Text, err = m.Str()
//			return true, err
//		}
//		return false, nil
//	})
//
//	o := wire.Begin(w, b.Extra.In(Name))
//	w.KeyStr("type", "text")
//	o.Str("text", b.Text)
//	o.End()
package wire
