// Reads dashboards by the model of Grafana's foundation SDK in another language than they were made with: fields that
// it does not know, that are missing or of another type are errors. Names what is wrong, and ends with 1.
package main

import (
	"fmt"
	"os"

	"github.com/grafana/grafana-foundation-sdk/go/cog/plugins"
	"github.com/grafana/grafana-foundation-sdk/go/dashboard"
)

func wrong(path string) string {
	raw, err := os.ReadFile(path)
	if err != nil {
		return err.Error()
	}
	board := dashboard.Dashboard{}
	// Both return errors that may be empty.
	if err := board.UnmarshalJSONStrict(raw); err != nil && err.Error() != "" {
		return err.Error()
	}
	if err := board.Validate(); err != nil {
		return err.Error()
	}
	return ""
}

func main() {
	plugins.RegisterDefaultPlugins()
	failed := false
	for _, path := range os.Args[1:] {
		if text := wrong(path); text != "" {
			fmt.Printf("%s: %s\n", path, text)
			failed = true
		}
	}
	if failed {
		os.Exit(1)
	}
}
