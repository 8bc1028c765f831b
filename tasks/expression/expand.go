package expression

// Prefix is the text before the first ${ … }: all of it when there is none.
func (t *Template) Prefix() string {
	switch text, ok := t.text.(string); {
	case ok:
		return text
	case t.parts[0].expr == nil:
		return t.parts[0].literal
	}
	return ""
}

// Outline is the text with place where each ${ … } stands.
func (t *Template) Outline(place string) string { return t.outline(place, func(string) {}) }

// OfEvent returns the text before each ${ … } that uses the event, with place for each other ${ … }.
func (t *Template) OfEvent(place string) (before []string) {
	t.outline(place, func(s string) { before = append(before, s) })
	return before
}

func (t *Template) outline(place string, ofEvent func(before string)) string {
	if text, ok := t.Constant(); ok {
		return text
	}
	var b []byte
	for i := range t.parts {
		if p := &t.parts[i]; p.expr != nil {
			if p.expr.uses != 0 {
				ofEvent(string(b))
			}
			b = append(b, place...)
		} else {
			b = append(b, p.literal...)
		}
	}
	return string(b)
}

// Piece is a ${ … } of a template that is being evaluated.
type Piece struct {
	Before  string // the text before it, evaluated
	After   string // the literal text after it, up to the next ${ … }
	Value   string // its value as text
	OfEvent bool   // it uses the event; otherwise its value comes from the wiring file or the environment
}

// Expand is Text with escaping, for a text in another language: escape returns the text that replaces a ${ … }. The error is escape's, or an
// [*Error].
func (t *Template) Expand(env *Env, escape func(Piece) (string, error)) (string, error) {
	if text, ok := t.Constant(); ok {
		return text, nil
	}
	var b []byte
	for i := range t.parts {
		p := &t.parts[i]
		if p.expr == nil {
			b = append(b, p.literal...)
			continue
		}
		value, err := p.appendValue(nil, env, false)
		if err != nil {
			return "", err
		}
		after := ""
		if i+1 < len(t.parts) {
			after = t.parts[i+1].literal
		}
		escaped, err := escape(Piece{Before: string(b), After: after, Value: string(value), OfEvent: p.expr.uses != 0})
		if err != nil {
			return "", err
		}
		b = append(b, escaped...)
	}
	return string(b), nil
}
