// Parses configurations by the grammars of their own programs: *.alloy and Logstash's *.conf.
package main

import (
	"fmt"
	"os"
	"strings"

	"github.com/breml/logstash-config"
	"github.com/grafana/alloy/syntax/parser"
)

func main() {
	failed := false
	for _, path := range os.Args[1:] {
		raw, err := os.ReadFile(path)
		if err == nil {
			if strings.HasSuffix(path, ".alloy") {
				_, err = parser.ParseFile(path, raw)
			} else {
				_, err = config.Parse(path, raw)
			}
		}
		if err != nil {
			fmt.Printf("%s: %v\n", path, err)
			failed = true
		}
	}
	if failed {
		os.Exit(1)
	}
}
