"""Four plots with animals: a shared meal, counting, a race, a sound in the night."""

from labcore.text.plots import Line, Plot

# The food is halved; a name, once given, comes back.
MEAL: Plot = (
    (
        Line(
            "{hero} was (|very) hungry because {hero.he} had not eaten {meal} .",
            "{hero} (2:没有|没) 吃 {meal} ， (2:所以|于是) (很 饿|肚子 饿 了) 。",
        ),
        Line(
            "{hero} got up late and missed {meal} , so {hero.he} was (|very) hungry .",
            "{hero} 起 得 (2:太|很) 晚 ， (2:没有|没) 吃 {meal} ， (2:所以|于是) (很 饿|肚子 饿 了) 。",
        ),
    ),
    (
        Line(
            "{hero.He} (2:bought|got) {food.some} {shop} .",
            "{hero.他} (2:在|到) {shop} 买 了 一 {food.mw} {food} 。",
        ),
    ),
    (
        Line(
            "(2:Then|Just then) , {fur.a} {fur} {animal} came and looked at {hero.him} .",
            "(2:这时|这时候) ， 一 {animal.mw} {fur} {animal} (2:走|跑) 过来 (2:看着|望着) {hero.他} 。",
        ),
        Line(
            "{fur.A} {fur} {animal} {spot} was (2:hungry , too|also hungry) .",
            "{spot} 有 一 {animal.mw} {fur} {animal} 也 (2:很 饿|饿 了) 。",
        ),
    ),
    (
        Line(
            "{hero} gave (the {animal} half of the {food}|2:half of the {food} to the {animal}) .",
            "{hero} 把 (2:一半 {food}|{food} 的 一半) (2:给|分给) 了 {animal} 。",
        ),
    ),
    (
        Line(
            "(2:From that day on|After that) , the {animal} came to see {hero.him} every {daytime} .",
            "(2:从那天起|从此) ， {animal} 每天 {daytime} (2:都|都会) 来 看 {hero.他} 。",
        ),
        Line(
            "{hero.He} took the {animal} home and (2:called|named) it {pet} . Now {hero} and {pet} are "
            "(2:good|best) friends .",
            "{hero.他} 把 {animal} 带 回家 ， 给 它 取名 (2:叫|) {pet} 。 现在 {hero} (2:和|跟) {pet} 是 "
            "(2:好|最 好 的) 朋友 。",
            weight=2,
        ),
        Line(
            "(2:Then|Later) , they played {place.in} (2:all|the whole) {daytime} .",
            "(2:然后|后来) ， 他们 在 {place.in} 玩 了 (2:一 个|整个) {daytime} 。",
        ),
    ),
)

# One less, and then the old number again.
COUNT: Plot = (
    (
        Line(
            "There were {number} {fur} {animal.s} {place.in} .",
            "{place.in} (2:有|住着) {number} {animal.mw} {fur} {animal} 。",
        ),
    ),
    (
        Line(
            "{hero} went to {care} (2:every|each) {daytime} .",
            "{hero} 每天 {daytime} (2:都|都会) 去 {care} 。",
        ),
    ),
    (
        Line(
            "One {weekday} , {hero.he} (2:saw|found) only {number.less} {animal.s} .",
            "(2:有 一|一) 个 {weekday} ， {hero.他} 只 (2:看到|看见) {number.less} {animal.mw} {animal} 。",
        ),
        Line(
            "One {weekday} , one of them was (2:gone|lost) . Only {number.less} were left .",
            "(2:有 一|一) 个 {weekday} ， 一 {animal.mw} (2:不见|丢) 了 ， 只 剩下 {number.less} "
            "{animal.mw} 。",
        ),
    ),
    (
        Line(
            "(2:In the end|At last|Later) , {hero} (2:found|saw) the last one {spot} .",
            "(2:最后|后来) ， {hero} 在 {spot} (2:找到|发现) 了 (2:最后|那) 一 {animal.mw} 。",
        ),
        Line(
            "{friend} (2:found|saw) the last one {spot} and called {hero} .",
            "{friend} 在 {spot} (2:找到|发现) 了 (2:最后|那) 一 {animal.mw} ， (2:就|马上) 去 叫 {hero} 。",
        ),
    ),
    (
        Line(
            "Now there were {number} {animal.s} again .",
            "(2:现在|这下) 又 有 {number} {animal.mw} {animal} 了 。",
        ),
        Line(
            "{hero} (2:smiled|laughed) and gave it {food.some} .",
            "{hero} 笑 了 (|笑) ， (2:给|喂) 了 它 一 {food.mw} {food} 。",
        ),
        Line(
            "{hero} was so (2:happy|glad) that {hero.he} {pastime} .",
            "{hero} (2:很|非常) (高兴|开心) ， 就 {pastime} 。",
        ),
    ),
)

# Who boasts stops, and who stops loses.
RACE: Plot = (
    (
        Line(
            "{racer.A} {racer} and {rival.a} {rival} (2:ran|had) a race {place.in} .",
            "一 {racer.mw} {racer} (2:和|跟) 一 {rival.mw} {rival} 在 {place.in} (2:赛跑|比赛跑步) 。",
        ),
        Line(
            "One {time} , {rival.a} {rival} and {racer.a} {racer} (2:ran|had) a race {place.in} .",
            "{time} ， 一 {rival.mw} {rival} (2:和|跟) 一 {racer.mw} {racer} 在 {place.in} "
            "(2:赛跑|比赛跑步) 。",
            weight=2,
        ),
    ),
    (
        Line(
            '" ~I am the fastest ! ~" (2:said|cried) the {racer} .',
            "“ 我 跑 得 最 快 ！ ” {racer} (2:说|说道) 。",
        ),
        Line(
            "The {racer} ran (|very) fast , (2:and|but) the {rival} ran slowly .",
            "{racer} 跑 得 (2:很|非常) 快 ， {rival} (|却) 跑 得 (2:很|非常) 慢 。",
        ),
    ),
    (
        Line(
            "(2:On the way|Then) , the {racer} stopped to {stop} {spot} .",
            "(2:半路上|后来) ， {racer} (2:停|停 了) 下来 ， 在 {spot} {stop} 。",
        ),
    ),
    (
        Line(
            "The {rival} did not stop , so it won (2:the race|) .",
            "{rival} (2:一直|) (2:没有|没) 停 ， (2:所以|于是) 它 赢 了 。",
        ),
        Line(
            "The {rival} won (2:the race|) because it did not {stop} .",
            "因为 {rival} (2:没有|没) {stop} ， 所以 它 赢 了 。",
        ),
    ),
    (
        Line(
            "The {racer} was (2:sorry|sad) and gave the {rival} {food.some} .",
            "{racer} (2:很|非常) (难过|后悔) ， (2:送给|给 了) {rival} 一 {food.mw} {food} 。",
        ),
        Line(
            '" ~You are the fastest ! ~" (2:said|cried) the {racer} .',
            "“ 你 跑 得 最 快 ！ ” {racer} (2:说|说道) 。",
        ),
        Line(
            "They went home and {pastime} together .",
            "(2:它们|大家) 一起 回家 ， {pastime} 。",
        ),
    ),
)

# The sound gives the animal away; the room comes back.
SOUND: Plot = (
    (
        Line(
            "On {weekday} night , {hero} heard a strange (2:sound|noise) {room} .",
            "{weekday} (2:夜里|晚上) ， {hero} (2:听到|听见) {room} 有 奇怪 的 (2:声音|响声) 。",
        ),
    ),
    (
        Line(
            '" ~{animal.sound} ! {animal.sound} ! ~"',
            "“ {animal.sound} ！ {animal.sound} ！ ”",
        ),
    ),
    (
        Line(
            "{hero.He} was (|very) (2:afraid|scared) , so {hero.he} woke {friend} .",
            "{hero.他} (2:很|非常) 害怕 ， (2:就|于是) 叫醒 了 {friend} 。",
        ),
    ),
    (
        Line(
            "{friend} took a (2:lamp|light) and went to (2:look|see) .",
            "{friend} (2:拿着|带着) 一 盏 灯 去 看 (2:|看) 。",
        ),
        Line(
            "{hero} and {friend} went to (2:look|see) together .",
            "{hero} (2:和|跟) {friend} 一起 去 看 (2:|看) 。",
        ),
    ),
    (
        Line(
            "It was (2:only|just) {fur.a} {fur} {animal} {room} !",
            "原来 {room} 只 (2:是|有) 一 {animal.mw} {fur} {animal} ！",
        ),
        Line(
            "{fur.A} {fur} {animal} was eating {hero} ~'s {food} {room} !",
            "(2:原来|只见) 一 {animal.mw} {fur} {animal} 在 {room} (|偷) 吃 {hero} 的 {food} ！",
        ),
    ),
    (
        Line(
            "They (2:laughed|smiled) and {pastime} together .",
            "两个人 都 笑 了 ， (2:一起|又) {pastime} 。",
        ),
        Line(
            "(2:From that day on|After that) , the {animal} was called {pet} .",
            "(2:从那天起|从此) ， 这 {animal.mw} {animal} 就 叫 {pet} 。",
        ),
        Line(
            "{friend} gave the {animal} {food.some} .",
            "{friend} (2:给|喂) 了 {animal} 一 {food.mw} {food} 。",
        ),
    ),
)
