package llm

// ModelOperations returns the operations that a model does.
func ModelOperations() []Op {
	return []Op{
		OpGenerate, OpCountTokens, OpEmbed, OpRerank, OpModerate, OpImage, OpImageEdit, OpImageVary, OpSpeak, OpTranscribe,
		OpTranslate, OpRealtime, OpTurn, OpCompact, OpWarm, OpLifecycle,
	}
}

// Operations returns all operations that somebody may be let do or not: all but the list of models.
func Operations() []Op {
	return append(ModelOperations(), OpFileCreate, OpFileList, OpFileGet, OpFileContent, OpFileDelete,
		OpBatchCreate, OpBatchList, OpBatchGet, OpBatchCancel, OpBatchResults, OpBatchDelete,
		OpClientSecret, OpKept, OpKeyInfo, OpSession)
}
