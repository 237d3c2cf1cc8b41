package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/go-rod/rod"
	"github.com/go-rod/rod/lib/launcher"
	"github.com/go-rod/rod/lib/proto"
)

// needless are what the rows do not need.
var needless = []string{"*.png", "*.jpg", "*.gif", "*.svg", "*.css", "*.woff*"}

// pool goes on with the pages of a pool, one for each worker, as rod's example
// has it. They share one browser context and so its cache, which is faster than
// the incognito pages of the example.
func pool(ctx context.Context, j *job) (err error) {
	l := launcher.New().Context(ctx).Bin(j.browser).NoSandbox(j.root)
	control, err := l.Launch()
	if err != nil {
		return fmt.Errorf("start the browser: %w", err)
	}
	defer l.Cleanup()
	browser := rod.New().Context(ctx).ControlURL(control)
	if err := browser.Connect(); err != nil {
		return fmt.Errorf("connect with the browser: %w", err)
	}
	defer func() { err = errors.Join(err, browser.Close()) }()
	pages := rod.NewPagePool(j.workers)
	create := func() (*rod.Page, error) {
		page, err := browser.Page(proto.TargetCreateTarget{})
		if err != nil {
			return nil, err
		}
		if err := (proto.NetworkEnable{}).Call(page); err != nil {
			return nil, err
		}
		return page, page.SetBlockedURLs(needless)
	}
	texts := "() => " + j.texts()
	j.all(func(url string) {
		page, err := pages.Get(create)
		if err != nil {
			j.ended(url, nil, err)
			pages.Put(nil)
			return
		}
		defer pages.Put(page)
		rows, err := read(page.Timeout(pageLimit), url, j.row, texts)
		j.ended(url, rows, err)
	})
	return nil
}

func read(page *rod.Page, url, row, texts string) ([][]string, error) {
	defer page.CancelTimeout()
	if err := page.Navigate(url); err != nil {
		return nil, err
	}
	if _, err := page.Element(row); err != nil {
		return nil, err
	}
	result, err := page.Eval(texts)
	if err != nil {
		return nil, err
	}
	var rows [][]string
	if err := result.Value.Unmarshal(&rows); err != nil {
		return nil, fmt.Errorf("read the rows: %w", err)
	}
	return rows, nil
}
