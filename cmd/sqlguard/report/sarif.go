package report

import (
	"io"

	"waybill/cmd/sqlguard/rules"
)

// The parts of SARIF 2.1.0 that sqlguard uses.
type (
	sarifLog struct {
		Schema  string     `json:"$schema"`
		Version string     `json:"version"`
		Runs    []sarifRun `json:"runs"`
	}
	sarifRun struct {
		Tool       sarifTool     `json:"tool"`
		ColumnKind string        `json:"columnKind"`
		Results    []sarifResult `json:"results"`
	}
	sarifTool struct {
		Driver sarifDriver `json:"driver"`
	}
	sarifDriver struct {
		Name  string      `json:"name"`
		Rules []sarifRule `json:"rules"`
	}
	sarifRule struct {
		ID      string       `json:"id"`
		Short   sarifText    `json:"shortDescription"`
		Help    sarifHelp    `json:"help"`
		Default sarifDefault `json:"defaultConfiguration"`
	}
	sarifHelp struct {
		Text     string `json:"text"`
		Markdown string `json:"markdown"`
	}
	sarifDefault struct {
		Level string `json:"level"`
	}
	sarifText struct {
		Text string `json:"text"`
	}
	sarifResult struct {
		RuleID       string            `json:"ruleId"`
		RuleIndex    int               `json:"ruleIndex"`
		Level        string            `json:"level"`
		Message      sarifText         `json:"message"`
		Locations    []sarifLocation   `json:"locations"`
		Fingerprints map[string]string `json:"partialFingerprints"`
	}
	sarifLocation struct {
		Physical sarifPhysical  `json:"physicalLocation"`
		Logical  []sarifLogical `json:"logicalLocations"`
	}
	sarifPhysical struct {
		Artifact sarifArtifact `json:"artifactLocation"`
		Region   sarifRegion   `json:"region"`
	}
	sarifArtifact struct {
		URI string `json:"uri"`
	}
	sarifRegion struct {
		StartLine   int `json:"startLine"`
		StartColumn int `json:"startColumn"`
	}
	sarifLogical struct {
		Name string `json:"name"`
		Kind string `json:"kind"`
	}
)

func sarif(out io.Writer, r *Report, _ bool) error {
	run := sarifRun{Tool: sarifTool{sarifDriver{Name: "sqlguard"}},
		ColumnKind: "unicodeCodePoints", Results: []sarifResult{}}
	index := map[*rules.Rule]int{}
	for i, rule := range rules.All {
		index[rule] = i
		run.Tool.Driver.Rules = append(run.Tool.Driver.Rules, sarifRule{
			rule.ID, sarifText{rule.Summary}, sarifHelp{rule.Page(), rule.Page()}, sarifDefault{string(rule.Severity)},
		})
	}
	for _, f := range r.Findings {
		run.Results = append(run.Results, result(f, index[f.Rule]))
	}
	return encode(out, sarifLog{"https://json.schemastore.org/sarif-2.1.0.json", "2.1.0", []sarifRun{run}})
}

func result(f rules.Finding, index int) sarifResult {
	line, column := place(f)
	text := message(f)
	for _, t := range tryLine(f) {
		text += " " + t
	}
	return sarifResult{
		RuleID: f.Rule.ID, RuleIndex: index, Level: string(f.Severity), Message: sarifText{text},
		Locations: []sarifLocation{{
			sarifPhysical{sarifArtifact{f.Query.File.Path}, sarifRegion{line, column}},
			[]sarifLogical{{name(f), "function"}},
		}},
		Fingerprints: map[string]string{"finding/v1": f.Rule.ID + "/" + f.Query.File.Name + "/" + f.Query.Name + "/" +
			f.Table},
	}
}
