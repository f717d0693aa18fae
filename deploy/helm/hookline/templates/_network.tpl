{{/* Rules of the NetworkPolicies. */}}
{{- define "hookline.ports" -}}
{{- range . }}
- {protocol: TCP, port: {{ . }}}
{{- end }}
{{- end }}
{{- define "hookline.egressDns" -}}
- to:
    {{- toYaml .dns.to | nindent 4 }}
  ports:
    - {protocol: UDP, port: 53}
    - {protocol: TCP, port: 53}
{{- end }}
{{- define "hookline.egressBroker" -}}
- to:
    {{- toYaml .broker.to | nindent 4 }}
  ports: {{- include "hookline.ports" .broker.ports | nindent 4 }}
{{- end }}
{{- define "hookline.egressManagement" -}}
- to:
    {{- toYaml .broker.to | nindent 4 }}
  ports: {{- include "hookline.ports" .broker.managementPorts | nindent 4 }}
{{- end }}
{{- define "hookline.egressDatabase" -}}
- to:
    {{- toYaml .database.to | nindent 4 }}
  ports: {{- include "hookline.ports" .database.ports | nindent 4 }}
{{- end }}
{{- define "hookline.egressCollector" -}}
- to:
    {{- toYaml .collector.to | nindent 4 }}
  ports: {{- include "hookline.ports" .collector.ports | nindent 4 }}
{{- end }}

{{/* A network, also where one address alone was given. */}}
{{- define "hookline.network" -}}
{{- if contains "/" . -}}{{ . }}
{{- else if contains ":" . -}}{{ . }}/128
{{- else -}}{{ . }}/32
{{- end -}}
{{- end }}
