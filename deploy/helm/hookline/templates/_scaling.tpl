{{/* How fast dispatchers come and go. */}}
{{- define "hookline.scalingBehavior" -}}
scaleUp:
  # A burst that one replica takes in less time adds none.
  stabilizationWindowSeconds: {{ .scaleUpStabilizationSeconds }}
  policies:
    - {type: Percent, value: 100, periodSeconds: 30}
    - {type: Pods, value: 2, periodSeconds: 30}
  selectPolicy: Max
scaleDown:
  stabilizationWindowSeconds: {{ .scaleDownStabilizationSeconds }}
  # One at a time: what it had not begun goes back to its queue, and the others take it over.
  policies:
    - {type: Pods, value: 1, periodSeconds: 60}
{{- end }}

{{/* The namespace, as a regular expression has it. */}}
{{- define "hookline.namespacePattern" -}}
{{- include "hookline.dispatcherSetting" (list . "HOOKLINE_NAMESPACE") | default "hookline" | replace "." "\\." -}}
{{- end }}
