package main

import (
	"context"
	"fmt"

	"github.com/chromedp/chromedp"
)

// tabs opens a tab for each page in one browser, as chromedp's documentation has
// it for work in parallel. Pictures are off by the browser's own setting.
func tabs(ctx context.Context, j *job) error {
	options := append(chromedp.DefaultExecAllocatorOptions[:],
		chromedp.ExecPath(j.browser), chromedp.Flag("blink-settings", "imagesEnabled=false"))
	if j.root {
		options = append(options, chromedp.NoSandbox)
	}
	ctx, stop := chromedp.NewExecAllocator(ctx, options...)
	defer stop()
	ctx, stop = chromedp.NewContext(ctx)
	defer stop()
	if err := chromedp.Do(ctx); err != nil {
		return fmt.Errorf("start the browser: %w", err)
	}
	texts := j.texts()
	j.all(func(url string) {
		rows, err := tab(ctx, url, j.row, texts)
		j.ended(url, rows, err)
	})
	return nil
}

func tab(ctx context.Context, url, row, texts string) ([][]string, error) {
	ctx, closeTab := chromedp.NewContext(ctx)
	defer closeTab()
	if err := chromedp.Do(ctx); err != nil { // the tab's life must not be that of the page's deadline
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, pageLimit)
	defer cancel()
	if err := chromedp.Do(ctx, chromedp.Navigate(url), chromedp.WaitVisible(chromedp.CSS(row))); err != nil {
		return nil, err
	}
	return chromedp.Run(ctx, chromedp.Evaluate[[][]string](texts))
}
