module github.com/plenum-foundry/plenum

go 1.26
