package help

import (
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"evrun/tasks/fault"
)

// flagError says what is wrong with a flag, and what was probably meant.
func flagError(c *cobra.Command, err error) error {
	var unknown *pflag.NotExistError
	var missing *pflag.ValueRequiredError
	var invalid *pflag.InvalidValueError
	switch {
	case errors.As(err, &unknown) && unknown.GetSpecifiedShortnames() != "":
		return fmt.Errorf("unknown flag: -%s", unknown.GetSpecifiedName())
	case errors.As(err, &unknown):
		var known []string
		c.Flags().VisitAll(func(f *pflag.Flag) {
			if !f.Hidden {
				known = append(known, f.Name)
			}
		})
		text := "unknown flag: --" + unknown.GetSpecifiedName()
		if near := fault.Closest(unknown.GetSpecifiedName(), known); near != "" {
			text += fmt.Sprintf("; did you mean --%s?", near)
		}
		return errors.New(text)
	case errors.As(err, &missing):
		return fmt.Errorf("--%s needs a value", missing.GetFlag().Name)
	case errors.As(err, &invalid):
		return fmt.Errorf("--%s %q: %s", invalid.GetFlag().Name, invalid.GetValue(), wanted(invalid))
	}
	return err
}

// wanted is what a flag takes. A flag with a type of ours says it itself.
func wanted(err *pflag.InvalidValueError) string {
	switch err.GetFlag().Value.Type() {
	case "duration":
		return "write a duration, such as 30s, 10m or 2h30m"
	case "int", "int64", "uint64":
		return "write a whole number"
	case "bool":
		return "it is on without a value; with one, write true or false"
	}
	return strings.TrimSpace(err.Unwrap().Error())
}
