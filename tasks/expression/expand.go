package expression

// Prefix is the text before the first ${ … }: all of it where there is none.
func (t *Template) Prefix() string {
	switch text, ok := t.text.(string); {
	case ok:
		return text
	case t.parts[0].expr == nil:
		return t.parts[0].literal
	}
	return ""
}

// OfEvent says whether what the template gives depends on the event. One that does not is the wiring file's own, or the
// environment's.
func (t *Template) OfEvent() bool {
	for i := range t.parts {
		if x := t.parts[i].expr; x != nil && x.uses&^nameFunctions != 0 {
			return true
		}
	}
	return false
}

// Expand is Text with a say for the caller, who knows the language that the text is in: escape gets the text of each ${ … }
// and all that stands before it, and gives what to write in its place. The error is escape's, or an [*Error].
func (t *Template) Expand(env *Env, escape func(before, value string) (string, error)) (string, error) {
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
		value, err := t.appendValue(nil, p, env)
		if err != nil {
			return "", err
		}
		escaped, err := escape(string(b), string(value))
		if err != nil {
			return "", err
		}
		b = append(b, escaped...)
	}
	return string(b), nil
}
