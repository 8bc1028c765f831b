package wiringtest

import (
	"encoding/xml"
	"fmt"
	"path/filepath"
	"strings"
	"time"

	"evrun/events"
	"evrun/store/files"
)

// The elements of a JUnit report, as far as its readers agree on them.
type (
	junitSuite struct {
		XMLName  xml.Name    `xml:"testsuite"`
		Name     string      `xml:"name,attr"`
		Tests    int         `xml:"tests,attr"`
		Failures int         `xml:"failures,attr"`
		Errors   int         `xml:"errors,attr"`
		Time     string      `xml:"time,attr"`
		Cases    []junitCase `xml:"testcase"`
	}
	junitCase struct {
		Name    string        `xml:"name,attr"`
		Class   string        `xml:"classname,attr"`
		File    string        `xml:"file,attr"`
		Time    string        `xml:"time,attr"`
		Failure *junitProblem `xml:"failure"`
		Error   *junitProblem `xml:"error"`
	}
	junitProblem struct {
		Message string `xml:"message,attr"`
		Text    string `xml:",chardata"`
	}
)

// WriteJUnit writes the results of a wiring file's tests as a JUnit report: whole, or not at all.
func WriteJUnit(path, wiring string, results []Result) error {
	suite := junitSuite{Name: wiring, Tests: len(results)}
	var total time.Duration
	for _, r := range results {
		total += r.Duration
		place, _, _ := strings.Cut(r.Place, ":")
		c := junitCase{Name: r.Name, Class: filepath.Base(wiring), File: place, Time: seconds(r.Duration)}
		switch {
		case r.Err != nil:
			suite.Errors++
			c.Error = &junitProblem{Message: events.EscapeControl(r.Err.Error())}
		case len(r.Differences) > 0:
			suite.Failures++
			var b strings.Builder
			for _, d := range r.Differences {
				fmt.Fprintf(&b, "%s: %s\n  expected  %s\n  got       %s\n", d.Place, d.What, d.Expected, d.Got)
			}
			c.Failure = &junitProblem{Message: r.Differences[0].What + " is not as expected", Text: b.String()}
		}
		suite.Cases = append(suite.Cases, c)
	}
	suite.Time = seconds(total)
	text, err := xml.MarshalIndent(suite, "", "  ")
	if err != nil {
		return err
	}
	return files.Replace(path, append(append([]byte(xml.Header), text...), '\n'))
}

func seconds(d time.Duration) string { return fmt.Sprintf("%.3f", d.Seconds()) }
