"""The forward protocol of Fluentd and Fluent Bit: https://github.com/fluent/forward-protocol, version 1.5."""
